"""Passwords where a product or a language writes them. Data: a row for each kind."""

from smista_mcp.core.secretscan.rules import Rule

WRITTEN = (
    Rule(
        "url_password",
        ("jdbc:oracle:",),
        r"jdbc:oracle:[a-z0-9]{3,5}:[^\s/@:\"']{1,60}+/(?P<value>[^\s@/\"']{4,100}+)@",
        "docs.oracle.com/en/database/oracle/oracle-database/23/jjdbc/data-sources-and-URLs.html",
        glued=True,
    ),
    Rule(
        "pgpass_password",
        (":5432:", ":5433:", ":6432:", ":3306:", ":1521:", ":*:*:"),
        r":(?:[0-9]{4}:[^:\s]{1,63}+|\*:\*):[^:\s]{1,63}+:(?P<value>[^\s:\"']{5,200}+)(?![^\s\"'\\])",
        "www.postgresql.org/docs/current/libpq-pgpass.html",
        glued=True,
    ),
    Rule(
        "wifi_password",
        ("WIFI:",),
        r"WIFI:(?:[TSHREAI]:[^;\s]{0,64}+;){0,5}P:(?P<value>[^;\s]{8,64}+);",
        "github.com/zxing/zxing/wiki/Barcode-Contents#wi-fi-network-config-android-ios-11",
    ),
    Rule(
        "openvpn_static_key",
        ("BEGIN OpenVPN Static key V1-----",),
        r"BEGIN OpenVPN Static key V1-----[\s\\nr\"',]{1,12}+"
        r"(?P<value>[0-9a-f]{32}(?:[\s\\nr\"',]{1,12}+[0-9a-f]{32}){1,40})",
        "openvpn.net/community-resources/static-key-mini-howto",
        glued=True,
    ),
    Rule(
        "credential_call",
        ("NetworkCredential(", "PasswordCredentials(", "PasswordAuthentication(", "BasicAuth("),
        r"[A-Za-z]{9,25}\(\s{0,20}+\\?[\"'][^\"'\\\n]{0,100}+\\?[\"']\s{0,4}+,\s{0,20}+\\?[\"']"
        r"(?P<value>[^\"'\\\n]{5,200}+)\\?[\"']",
        "learn.microsoft.com/dotnet/api/system.net.networkcredential.-ctor",
        glued=True,
    ),
    Rule(
        "sql_password",
        ("IDENTIFIED BY ", "identified by ", "IDENTIFIED WITH ", "identified with "),
        r"(?i:IDENTIFIED (?:WITH [a-z0-9_]{1,40}+ )?(?:BY|AS) (?:PASSWORD )?)"
        r"\\?[\"'](?P<value>[^\"'\\\s]{5,200}+)\\?[\"']",
        "dev.mysql.com/doc/refman/9.0/en/create-user.html",
    ),
    Rule(
        "secure_string",
        ("ConvertTo-SecureString ",),
        r"ConvertTo-SecureString {1,8}+(?:-String {1,8}+)?\\?[\"'](?P<value>[^\"'\\\n$]{5,200}+)\\?[\"']",
        "learn.microsoft.com/powershell/module/microsoft.powershell.security/convertto-securestring",
    ),
    Rule(
        "ipsec_secret",
        (": PSK ", ": XAUTH ", ": EAP ", ": NTLM "),
        r": [A-Z]{3,5} {1,8}+(?:\\?[\"'])?(?P<value>[^\"'\s\\]{8,200}+)",
        "docs.strongswan.org/docs/latest/swanctl/swanctlConf.html",
        glued=True,
    ),
    Rule(
        "router_key",
        ("isakmp key ", "radius-server ", "tacacs-server "),
        r"(?:isakmp|(?:radius|tacacs)-server(?: [A-Za-z0-9.:-]{1,40}+(?<! key)){0,5}) key (?:[0567] )?"
        r"(?P<value>[^\s\"'\\]{6,100}+)",
        "www.cisco.com/c/en/us/td/docs/ios-xml/ios/security/a1/sec-a1-cr-book.html",
    ),
    Rule(
        "mail_password",
        ("]:587 ", "]:465 ", "]:25 "),
        r"\]:[0-9]{2,3} {1,8}+[^\s:\"']{1,80}+:(?P<value>[^\s\"'\\]{5,100}+)",
        "www.postfix.org/SASL_README.html",
        glued=True,
    ),
    Rule(
        "seed_phrase",
        ("mnemonic", "MNEMONIC", "Mnemonic", "seed phrase", "recovery phrase", "SEED_PHRASE"),
        r"[A-Za-z_ ]{8,15}[\"']?\s{0,3}(?::|=|is)\s{0,3}[\"']?"
        r"(?P<value>(?>(?:[a-z]{3,8}+ ){11,23})[a-z]{3,8}+)(?![a-z ])",
        "github.com/bitcoin/bips/blob/master/bip-0039.mediawiki",
        glued=True,
    ),
    Rule(
        "snmp_community",
        ("snmp-server community ", "rocommunity ", "rwcommunity ", "com2sec "),
        r"(?:snmp-server community|r[ow]community|com2sec \S{1,40}+ \S{1,40}+)"
        r" {1,8}+(?:\\?[\"'])?(?P<value>[^\s\"'\\]{6,64}+)",
        "net-snmp.sourceforge.io/docs/man/snmpd.conf.html",
    ),
    Rule(
        "snmp_password",
        ("createUser ",),
        r"createUser \S{1,40}+ (?:MD5|SHA[0-9-]{0,4}) {1,4}+(?:\\?[\"'])?(?P<value>[^\s\"'\\]{8,100}+)",
        "net-snmp.sourceforge.io/docs/man/snmpd.conf.html",
    ),
    Rule(
        "redis_password",
        (" on >",),
        r" on >(?P<value>[^\s\"'<>&;\\]{6,100}+)",
        "redis.io/docs/latest/operate/oss_and_stack/management/security/acl",
        glued=True,
    ),
    Rule(
        "nickserv_password",
        ("nickserv identify ", "NickServ identify ", "NickServ IDENTIFY ", "NICKSERV IDENTIFY "),
        r"(?i:nickserv identify) (?:[A-Za-z0-9_|-]{1,30} )?(?P<value>[^\s\"';\\]{5,60}+)",
        "libera.chat/guides/registration",
    ),
    Rule(
        "openvpn_password",
        ("<auth-user-pass>",),
        r"<auth-user-pass>\s{1,8}\S{1,100}+\s{1,8}(?P<value>[^\s<>\\]{5,100}+)",
        "openvpn.net/community-resources/reference-manual-for-openvpn-2-6",
        glued=True,
    ),
    Rule(
        "jenkins_secret",
        ("{AQAAABAAAAA",),
        r"\{(?P<value>AQAAABAAAAA[A-Za-z0-9+/=]{20,600}+)\}",
        "www.jenkins.io/doc/developer/security/secrets",
        glued=True,
    ),
    Rule(
        "stored_password",
        ("{PLAIN}", "{CLEARTEXT}", "{CLEAR}"),
        r"\{[A-Z]{5,9}\}(?P<value>[^\s\"':\\]{5,100}+)",
        "doc.dovecot.org/main/core/config/auth/schemes.html",
        glued=True,
    ),
)
