"""Keys of the large vendors, from their public descriptions. Data: a row for each kind."""

from smista_mcp.core.secretscan.rules import Nearby, Rule

_WORD = r"(?![A-Za-z0-9])"

VENDORS = (
    Rule("smista_token", ("smista_tk_",), rf"smista_tk_[A-Za-z0-9_-]{{43}}{_WORD}", "docs/team-server.md"),
    Rule(
        "aws_access_key",
        ("AKIA", "ASIA", "ABIA", "ACCA"),
        rf"A[A-Z]{{3}}[A-Z0-9]{{16}}{_WORD}",
        "docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html",
    ),
    Rule(
        "aws_session_token",
        ("IQoJb3JpZ2lu", "FwoGZXIvYXdz", "FQoGZXIvYXdz"),
        r"[A-Za-z0-9/+=%]{50,4000}+",
        "docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_use-resources.html",
    ),
    Rule(
        "aws_bedrock_key",
        ("ABSKQmVkcm9ja", "bedrock-api-key-"),
        r"[A-Za-z0-9/+=-]{40,2000}+",
        "docs.aws.amazon.com/bedrock/latest/userguide/api-keys.html",
    ),
    Rule(
        "aws_mws_token",
        ("amzn.mws.",),
        r"amzn\.mws\.[0-9a-f-]{36}",
        "developer-docs.amazon.com/sp-api/docs/migrating-from-amazon-mws",
    ),
    Rule(
        "signed_url",
        ("X-Amz-Signature=", "X-Goog-Signature="),
        r"X-[A-Za-z]{3,4}-Signature=[0-9a-f]{64,512}+",
        "docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html",
        glued=True,
    ),
    Rule(
        "github_token",
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"),
        r"gh[a-z]_[A-Za-z0-9_-]{30,2000}+(?:\.[A-Za-z0-9_-]{40,4000}+)?(?:\.[A-Za-z0-9_-]{40,4000}+)?",
        "docs.github.com/authentication/keeping-your-account-and-data-secure/about-authentication-to-github",
    ),
    Rule(
        "github_token",
        ("github_pat_",),
        r"github_pat_[A-Za-z0-9_]{36,255}+",
        "docs.github.com/authentication/keeping-your-account-and-data-secure/about-authentication-to-github",
    ),
    Rule(
        "gitlab_token",
        (
            *("glpat-", "gloas-", "gldt-", "glrt-", "glrtr-", "glcbt-", "glptt-", "glft-", "glimt-", "glagent-"),
            *("glsoat-", "glffct-", "glwt-", "GR1348941"),
        ),
        r"(?:gl[a-z]{2,6}-|GR1348941)[A-Za-z0-9_.=-]{18,400}+",
        "docs.gitlab.com/security/tokens/#token-prefixes",
    ),
    Rule(
        "anthropic_key",
        ("sk-ant-",),
        r"sk-ant-[A-Za-z0-9_-]{16,300}+",
        "docs.claude.com/en/api/admin-api/apikeys/get-api-key",
    ),
    Rule(
        "openai_key",
        ("sk-proj-", "sk-svcacct-", "sk-admin-", "sk-None-"),
        r"sk-[A-Za-z]{4,7}-[A-Za-z0-9_-]{16,300}+",
        "platform.openai.com/docs/api-reference/authentication",
    ),
    Rule(
        "openai_key",  # and of the many that took over its prefix
        ("sk-", "sess-"),
        r"s(?:k|ess)-[A-Za-z0-9_-]{20,300}+",
        "platform.openai.com/docs/api-reference/authentication",
        plain=True,
    ),
    Rule(
        "google_api_key",
        ("AIza",),
        r"AIza[A-Za-z0-9_-]{30,60}+",
        "cloud.google.com/docs/authentication/api-keys",
    ),
    Rule(
        "google_api_key",
        ("AQ.Ab8",),
        r"AQ\.Ab8[A-Za-z0-9_-]{30,120}+",
        "cloud.google.com/vertex-ai/generative-ai/docs/start/api-keys",
    ),
    Rule(
        "google_oauth_secret",
        ("GOCSPX-",),
        r"GOCSPX-[A-Za-z0-9_-]{20,60}+",
        "developers.google.com/identity/protocols/oauth2",
    ),
    Rule(
        "google_oauth_token",
        ("ya29.",),
        r"ya29\.[A-Za-z0-9_.-]{20,2000}+",
        "developers.google.com/identity/protocols/oauth2",
    ),
    Rule(
        "google_oauth_token",
        ("1//0",),
        r"1//0[A-Za-z0-9_-]{30,400}+",
        "developers.google.com/identity/protocols/oauth2",
    ),
    Rule(
        "google_storage_key",
        ("GOOG1",),
        r"GOOG1[A-Z0-9]{19,60}+",
        "cloud.google.com/storage/docs/authentication/hmackeys",
    ),
    Rule(
        "google_fcm_key",
        (":APA91b",),
        r":APA91b[A-Za-z0-9_-]{100,200}+",
        "firebase.google.com/docs/cloud-messaging/auth-server",
        back=11,
        glued=True,
    ),
    Rule(
        "slack_token",
        ("xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-", "xoxe-", "xoxe.", "xoxc-", "xoxd-", "xoxo-", "xapp-", "xwfp-"),
        r"x[a-z]{3}[.-][A-Za-z0-9.%/+=_-]{10,400}+",
        "docs.slack.dev/authentication/tokens",
    ),
    Rule(
        "slack_webhook",
        ("hooks.slack.com/",),
        r"hooks\.slack(?:-gov)?\.com/[a-z]{3,10}/[A-Za-z0-9/_+-]{20,120}+",
        "docs.slack.dev/messaging/sending-messages-using-incoming-webhooks",
        glued=True,
    ),
    Rule(
        "stripe_key",
        ("sk_live_", "sk_test_", "rk_live_", "rk_test_", "sk_org_"),
        r"[sr]k_[a-z]{3,4}_[A-Za-z0-9_]{10,250}+",
        "docs.stripe.com/keys",
    ),
    Rule(
        "stripe_webhook_secret",
        ("whsec_",),
        r"whsec_[A-Za-z0-9+/=]{20,120}+",
        "docs.stripe.com/webhooks/signature",
    ),
    Rule(
        "azure_storage_key",
        ("AccountKey=", "AccountKey%3D"),
        r"AccountKey(?:=|%3D)(?P<value>[A-Za-z0-9+/%]{40,120}+={0,2})",
        "learn.microsoft.com/azure/storage/common/storage-configure-connection-string",
        glued=True,
    ),
    Rule(
        "azure_shared_access_key",
        ("SharedAccessKey=", "SharedAccessSignature="),
        r"SharedAccess[A-Za-z]{3,9}=(?P<value>[A-Za-z0-9+/%&= .:_-]{30,400}+)",
        "learn.microsoft.com/azure/service-bus-messaging/service-bus-sas",
        glued=True,
    ),
    Rule(
        "azure_key",
        ("+ASt", "ACDb", "+ASb", "+AEh", "AIoT", "+ACR"),
        r"[A-Za-z0-9+]{4}[A-Za-z0-9+/]{4,8}+={1,2}",
        "learn.microsoft.com/purview/sit-defn-azure-storage-account-key",
        back=82,
        glued=True,
    ),
    Rule(
        "azure_key",
        ("JQQJ99", "AzSe", "AZDO"),
        r"(?:JQQJ99[A-Za-z0-9]{20,40}+|AzSe[A-D][A-Za-z0-9]{5}|AZDO[A-Za-z0-9]{4})",
        "learn.microsoft.com/purview/sit-defn-azure-cognitive-service-key",
        back=80,
        glued=True,
    ),
    Rule(
        "azure_sas",
        ("sig=", "sig%3D"),
        r"sig(?:=|%3D)(?P<value>[A-Za-z0-9+/%]{40,70}+=?)",
        "learn.microsoft.com/azure/storage/common/storage-sas-overview",
        plain=True,
    ),
    Rule(
        "azure_function_key",
        ("code=",),
        r"code=(?P<value>[A-Za-z0-9/_+-]{50,60}+(?:==|%3D%3D))",
        "learn.microsoft.com/azure/azure-functions/function-keys-how-to",
    ),
    Rule(
        "azure_client_secret",
        ("7Q~", "8Q~"),
        r"[78]Q~[A-Za-z0-9_~.-]{30,38}+",
        "learn.microsoft.com/purview/sit-defn-client-secret-api-key",
        back=3,
        glued=True,
    ),
    Rule(
        "json_web_token",
        ("eyJ",),
        r"eyJ[A-Za-z0-9_-]{12,2000}+\.[A-Za-z0-9_-]{12,8000}+(?:\.[A-Za-z0-9_-]{0,4000}+)?(?:\.[A-Za-z0-9_.-]{0,4000}+)?",
        "www.rfc-editor.org/rfc/rfc7519",
        halves=True,
    ),
)

NEARBY = (
    Nearby(
        "aws_secret_key",
        ("aws", "akia", "asia", "secretaccesskey", "secret_access_key", "secret access key"),
        r"(?<![A-Za-z0-9/+@])(?:[A-Za-z0-9/+]|%2[BbFf]){40}(?![A-Za-z0-9/+])",
        "docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_access-keys.html",
        200,
    ),
    Nearby(
        "github_client_secret",
        ("github",),
        r"(?<=[\"'=: ])(?<!/)[0-9a-f]{40}(?![0-9a-z])",
        "docs.github.com/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps",
        50,
    ),
    Nearby(
        "google_storage_secret",
        ("goog1",),
        r"(?<![A-Za-z0-9/+])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+])",
        "cloud.google.com/storage/docs/authentication/hmackeys",
        200,
    ),
    Nearby(
        "slack_signing_secret",
        ("slack",),
        r"(?<![0-9A-Za-z])[0-9a-f]{32}(?![0-9A-Za-z])",
        "docs.slack.dev/authentication/verifying-requests-from-slack",
        60,
    ),
)
