"""Certificates for servers on loopback, made when they are needed and good for nothing else."""

import ipaddress
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Authority:
    """Somebody who vouches for servers, as a company's own authority does.

    Attributes:
        file: its certificate in PEM form, as `SSL_CERT_FILE` names it.
    """

    folder: Path
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def new(cls, folder: Path) -> "Authority":
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name("an authority")
        made = _builder(name, name, key, _days(-1), _days(2))
        usage = x509.KeyUsage(
            digital_signature=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        certificate = made.add_extension(usage, critical=True).sign(key, SHA256())
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "authority.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
        return cls(folder, key, certificate)

    @property
    def file(self) -> Path:
        return self.folder / "authority.pem"

    def server(self, *names: str, since: int = -1, until: int = 1, self_signed: bool = False) -> ssl.SSLContext:
        """What a server of these names needs to speak TLS.

        Args:
            names: host names and IP addresses.
            since: the day from which on the certificate is good, from today.
            until: the day until which it is.
            self_signed: whether nobody vouches for it but itself.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        own = _name("a server")
        issuer, signer = (own, key) if self_signed else (self.certificate.subject, self.key)
        made = _builder(own, issuer, key, _days(since), _days(until))
        made = made.add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
        issued_by = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
        certificate = made.add_extension(issued_by, critical=False).sign(signer, SHA256())
        file = self.folder / f"server{len(list(self.folder.iterdir()))}.pem"
        plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        file.write_bytes(plain + certificate.public_bytes(Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _days(count: int) -> datetime:
    return datetime.now(UTC) + count * _DAY


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, since: datetime, until: datetime
) -> x509.CertificateBuilder:
    made = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    made = made.serial_number(x509.random_serial_number()).not_valid_before(since).not_valid_after(until)
    return made.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
