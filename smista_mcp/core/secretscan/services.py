"""Keys of further services, from their public descriptions. Data: a row for each kind."""

from smista_mcp.core.secretscan.rules import Nearby, Rule

_WORD = r"(?![A-Za-z0-9])"
_HEX32 = r"(?<![0-9A-Za-z])[0-9a-f]{32}(?![0-9A-Za-z])"
_UUID = r"(?<![0-9A-Za-z-])[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}(?![0-9A-Za-z-])"


def _prefixed(kind: str, anchors: str, least: int, source: str, *, plain: bool = False) -> Rule:
    """A key that is one of some prefixes and a run of key characters behind it."""
    found = tuple(anchors.split())
    most = max(map(len, found)) + 600
    shortest = min(map(len, found)) + least
    return Rule(kind, found, rf"[A-Za-z0-9_.=/+-]{{{shortest},{most}}}+", source, plain=plain)


SERVICES = (
    _prefixed("npm_token", "npm_", 30, "docs.npmjs.com/about-access-tokens"),
    _prefixed("pypi_token", "pypi-AgE", 40, "pypi.org/help/#apitoken"),
    _prefixed("rubygems_key", "rubygems_", 40, "guides.rubygems.org/api-key-scopes"),
    _prefixed("crates_token", "cio", 32, "doc.rust-lang.org/cargo/reference/publishing.html", plain=True),
    _prefixed("clojars_token", "CLOJARS_", 40, "github.com/clojars/clojars-web/wiki/Deploy-Tokens"),
    _prefixed("docker_token", "dckr_pat_ dckr_oat_", 24, "docs.docker.com/security/access-tokens"),
    _prefixed("huggingface_token", "hf_ api_org_", 30, "huggingface.co/docs/hub/security-tokens", plain=True),
    Rule(
        "digitalocean_token",
        ("dop_v1_", "doo_v1_", "dor_v1_"),
        r"do[a-z]_v1_[a-f0-9]{60,70}+",
        "docs.digitalocean.com/reference/api/create-personal-access-token",
    ),
    Rule("twilio_key", ("SK",), rf"SK[0-9a-f]{{32}}{_WORD}", "www.twilio.com/docs/iam/api-keys"),
    Rule(
        "sendgrid_key",
        ("SG.",),
        r"SG\.[A-Za-z0-9_-]{16,32}+\.[A-Za-z0-9_-]{30,64}+",
        "www.twilio.com/docs/sendgrid/ui/account-and-settings/api-keys",
    ),
    Rule("mailgun_key", ("key-",), rf"key-[0-9a-f]{{32}}{_WORD}", "documentation.mailgun.com"),
    Rule(
        "mailchimp_key",
        ("-us",),
        rf"-us[0-9]{{1,2}}{_WORD}",
        "mailchimp.com/developer/marketing/guides/quick-start",
        back=32,
        glued=True,
    ),
    _prefixed("brevo_key", "xkeysib- xsmtpsib-", 60, "developers.brevo.com/docs/getting-started"),
    _prefixed("resend_key", "re_", 24, "resend.com/docs/api-reference/api-keys", plain=True),
    Rule(
        "shopify_token",
        ("shpat_", "shpca_", "shppa_", "shpss_", "shptka_"),
        rf"shp[a-z]{{2,3}}_[A-Fa-f0-9]{{32}}{_WORD}",
        "shopify.dev/docs/apps/build/authentication-authorization/access-tokens",
    ),
    _prefixed(
        "square_token", "sq0atp- sq0csp- EAAAE EAAAl", 20, "developer.squareup.com/docs/build-basics/access-tokens"
    ),
    _prefixed(
        "facebook_token", "EAACEdEose0cBA EAA", 80, "developers.facebook.com/docs/facebook-login/guides/access-tokens"
    ),
    Rule(
        "telegram_bot_token",
        (":AA",),
        r":AA[A-Za-z0-9_-]{32,34}+(?![A-Za-z0-9_-])",
        "core.telegram.org/bots/features#botfather",
        back=10,
        glued=True,
    ),
    Rule(
        "discord_webhook",
        ("discord.com/api/", "discordapp.com/api/"),
        r"discord(?:app)?\.com/api/(?:v[0-9]{1,2}/)?webhooks/[0-9]{17,20}+/[A-Za-z0-9_-]{50,90}+",
        "discord.com/developers/docs/resources/webhook",
        glued=True,
    ),
    Rule(
        "discord_bot_token",
        ("MT", "Mj", "Mz", "MD", "ND", "NT", "Nj", "Nz", "OD", "OT"),
        r"[MNO][A-Za-z0-9_-]{23,27}+\.[A-Za-z0-9_-]{6,7}+\.[A-Za-z0-9_-]{27,40}+(?![A-Za-z0-9_-])",
        "discord.com/developers/docs/reference#authentication",
    ),
    Rule(
        "teams_webhook",
        ("webhook.office.com/",),
        r"webhook\.office\.com/webhookb2/[A-Za-z0-9@/_-]{60,250}+",
        "learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook",
        glued=True,
    ),
    _prefixed("heroku_key", "HRKU-", 32, "devcenter.heroku.com/articles/authentication"),
    Rule(
        "cloudflare_token",
        ("v1.0-", "cfut_", "cfat_", "cfk_"),
        r"(?:v1\.0-[a-f0-9]{24}-[a-f0-9]{100,160}+|cf[a-z]{1,2}_[A-Za-z0-9_-]{36,80}+)",
        "developers.cloudflare.com/fundamentals/api/get-started/create-token",
    ),
    Rule(
        "databricks_token",
        ("dapi", "dkea", "dose"),
        rf"d[a-z]{{3}}[a-f0-9]{{32}}(?:-[0-9]{{1,2}})?{_WORD}",
        "docs.databricks.com/dev-tools/auth/pat",
    ),
    _prefixed("vault_token", "hvs. hvb. hvr.", 20, "developer.hashicorp.com/vault/docs/concepts/tokens"),
    Rule(
        "terraform_token",
        (".atlasv1.",),
        r"\.atlasv1\.[A-Za-z0-9_=-]{50,90}+",
        "developer.hashicorp.com/terraform/cloud-docs/users-teams-organizations/api-tokens",
        back=14,
        glued=True,
    ),
    _prefixed(
        "grafana_token", "glc_ glsa_ eyJrIjoi", 30, "grafana.com/docs/grafana/latest/administration/service-accounts"
    ),
    _prefixed("linear_key", "lin_api_ lin_oauth_ lin_wh_", 30, "linear.app/developers/graphql"),
    _prefixed("notion_token", "ntn_ secret_", 40, "developers.notion.com/docs/authorization", plain=True),
    Rule(
        "airtable_token",
        ("pat",),
        rf"pat[A-Za-z0-9]{{14}}\.[a-f0-9]{{64}}{_WORD}",
        "airtable.com/developers/web/guides/personal-access-tokens",
    ),
    _prefixed(
        "newrelic_key", "NRAK- NRJS- NRII- NRRA- NRSP-", 18, "docs.newrelic.com/docs/apis/intro-apis/new-relic-api-keys"
    ),
    Rule(
        "newrelic_key",
        ("NRAL",),
        rf"NRAL{_WORD}",
        "docs.newrelic.com/docs/apis/intro-apis/new-relic-api-keys",
        back=36,
        glued=True,
    ),
    _prefixed("sentry_token", "sntrys_ sntryu_ sntrya_ sntryi_", 40, "docs.sentry.io/account/auth-tokens"),
    _prefixed("postman_key", "PMAK- PMAT-", 30, "learning.postman.com/docs/developer/postman-api/authentication"),
    _prefixed("figma_token", "figd_ figu_ figo_", 30, "developers.figma.com/docs/rest-api/authentication"),
    _prefixed(
        "doppler_token",
        "dp.pt. dp.st. dp.ct. dp.sa. dp.scim. dp.audit.",
        30,
        "docs.doppler.com/reference/auth-token-formats",
    ),
    _prefixed("pulumi_token", "pul-", 36, "www.pulumi.com/docs/pulumi-cloud/access-management/access-tokens"),
    _prefixed("supabase_key", "sbp_ sb_secret_", 24, "supabase.com/docs/guides/api/api-keys"),
    _prefixed(
        "planetscale_token", "pscale_tkn_ pscale_pw_ pscale_oauth_", 28, "planetscale.com/docs/concepts/password-roles"
    ),
    _prefixed("fly_token", "fm1_ fm2_ fo1_", 40, "fly.io/docs/security/tokens"),
    _prefixed("netlify_token", "nfp_ nfc_ nfo_ nfu_", 30, "docs.netlify.com/api/get-started"),
    _prefixed("vercel_token", "vcp_ vci_ vca_ vcr_ vck_", 20, "vercel.com/docs/rest-api", plain=True),
    _prefixed("render_key", "rnd_", 26, "render.com/docs/api", plain=True),
    _prefixed("neon_key", "napi_", 40, "neon.com/docs/manage/api-keys"),
    _prefixed("groq_key", "gsk_", 40, "console.groq.com/docs/api-reference"),
    _prefixed("xai_key", "xai-", 60, "docs.x.ai/docs/overview"),
    _prefixed("perplexity_key", "pplx-", 40, "docs.perplexity.ai/guides/getting-started"),
    _prefixed("replicate_token", "r8_", 34, "replicate.com/docs/topics/security/api-tokens"),
    _prefixed("fireworks_key", "fw_", 22, "docs.fireworks.ai/api-reference/introduction", plain=True),
    _prefixed("langsmith_key", "lsv2_", 36, "docs.smith.langchain.com"),
    _prefixed("pinecone_key", "pcsk_", 40, "docs.pinecone.io/guides/projects/manage-api-keys"),
    _prefixed("elevenlabs_key", "sk_", 46, "elevenlabs.io/docs/api-reference/authentication", plain=True),
    _prefixed("tailscale_key", "tskey-", 20, "tailscale.com/kb/1085/auth-keys"),
    _prefixed("onepassword_token", "ops_eyJ", 60, "developer.1password.com/docs/service-accounts/security"),
    _prefixed(
        "atlassian_token",
        "ATATT3 ATCTT3 ATBB",
        26,
        "developer.atlassian.com/cloud/jira/platform/basic-auth-for-rest-apis",
    ),
    _prefixed("dropbox_token", "sl.", 100, "www.dropbox.com/developers/reference/auth-types", plain=True),
    _prefixed("alibaba_key", "LTAI", 12, "www.alibabacloud.com/help/ram/user-guide/create-an-accesskey-pair"),
    _prefixed("tencent_key", "AKID", 32, "www.tencentcloud.com/document/product/598/32675"),
    _prefixed("yandex_key", "AQVN y0_", 34, "yandex.cloud/docs/iam/concepts/authorization/api-key"),
    _prefixed(
        "paypal_token", "access_token$production$ access_token$sandbox$", 30, "developer.paypal.com/braintree/docs"
    )._replace(pattern=r"access_token\$[a-z]{7,10}\$[A-Za-z0-9$]{30,80}+"),
    _prefixed("plaid_token", "access-sandbox- access-production- access-development-", 36, "plaid.com/docs/api/tokens"),
    _prefixed("razorpay_key", "rzp_live_ rzp_test_", 14, "razorpay.com/docs/api/authentication"),
    _prefixed("flutterwave_key", "FLWSECK-", 24, "developer.flutterwave.com/docs/authentication"),
    _prefixed("shippo_token", "shippo_live_ shippo_test_", 40, "docs.goshippo.com"),
    _prefixed("easypost_key", "EZAK EZTK", 54, "docs.easypost.com/docs/authentication"),
    _prefixed("contentful_token", "CFPAT-", 40, "www.contentful.com/developers/docs/references/authentication"),
    _prefixed("prefect_key", "pnu_ pnb_", 36, "docs.prefect.io"),
    _prefixed("readme_key", "rdme_", 60, "docs.readme.com/main/reference/authentication"),
    _prefixed("sourcegraph_token", "sgp_ slk_ sgd_", 40, "sourcegraph.com/docs/cli/how-tos/creating-an-access-token"),
    _prefixed("buildkite_token", "bkua_ bkct_", 36, "buildkite.com/docs/apis/managing-api-tokens"),
    _prefixed("circleci_token", "CCIPAT_ CCIPRJ_", 40, "circleci.com/docs/managing-api-tokens"),
    _prefixed(
        "artifactory_key",
        "AKCp cmVmdGtuO",
        50,
        "jfrog.com/help/r/jfrog-platform-administration-documentation/access-tokens",
    ),
    _prefixed("nuget_key", "oy2", 43, "learn.microsoft.com/nuget/nuget-org/publish-a-package", plain=True),
    _prefixed("typeform_token", "tfp_", 40, "www.typeform.com/developers/get-started/personal-access-token"),
    _prefixed("mapbox_token", "sk.eyJ", 60, "docs.mapbox.com/help/glossary/access-token"),
    _prefixed("snyk_token", "snyk_uat. snyk_sat.", 30, "docs.snyk.io/snyk-api/authentication-for-api"),
    _prefixed("sonar_token", "sqp_ squ_ sqa_", 40, "docs.sonarsource.com/sonarqube-server/user-guide/managing-tokens"),
    _prefixed(
        "hubspot_token",
        "pat-na1- pat-eu1- pat-na2-",
        36,
        "developers.hubspot.com/docs/guides/apps/private-apps/overview",
    ),
    _prefixed(
        "dynatrace_token", "dt0c01. dt0s01. dt0s16.", 60, "docs.dynatrace.com/docs/manage/identity-access-management"
    ),
    _prefixed("duffel_token", "duffel_live_ duffel_test_", 40, "duffel.com/docs/api/overview/authentication"),
    _prefixed("launchdarkly_key", "sdk- api- mob-", 36, "launchdarkly.com/docs/home/account/api")._replace(
        pattern=r"(?:sdk|api|mob)-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"
    ),
    _prefixed("mongodb_atlas_secret", "mdb_sa_sk_", 30, "www.mongodb.com/docs/atlas/api/service-accounts-overview"),
    _prefixed("age_secret_key", "AGE-SECRET-KEY-1 AGE-SECRET-KEY-PQ-1", 50, "age-encryption.org/v1"),
    Rule(
        "password_hash",
        ("$1$", "$apr1$", "$2a$", "$2b$", "$2y$", "$5$", "$6$", "$y$", "$argon2", "{SHA}", "{SSHA}"),
        r"(?:\$[a-z0-9]{1,9}\$|\{S{1,2}HA\})[A-Za-z0-9./$=,+]{27,200}+",
        "httpd.apache.org/docs/current/misc/password_encryptions.html",
        glued=True,
    ),
)

SERVICES_NEARBY = (
    Nearby("twilio_auth_token", ("twilio",), _HEX32, "www.twilio.com/docs/iam/api-keys#auth-token", 100),
    Nearby(
        "datadog_key",
        ("datadog", "dd_api", "dd-api", "dd_app", "dd-app"),
        r"(?<![0-9A-Za-z])[0-9a-f]{32}(?:[0-9a-f]{8})?(?![0-9A-Za-z])",
        "docs.datadoghq.com/account_management/api-app-keys",
        80,
    ),
    Nearby("heroku_key", ("heroku",), _UUID, "devcenter.heroku.com/articles/authentication", 80),
    Nearby(
        "cloudflare_token",
        ("cloudflare", "cf_api", "x-auth-key"),
        r"(?<![0-9A-Za-z_-])(?:[0-9a-f]{37}|[A-Za-z0-9_-]{40})(?![0-9A-Za-z_-])",
        "developers.cloudflare.com/fundamentals/api/get-started",
        80,
    ),
    Nearby(
        "vault_token",
        ("vault",),
        r"(?<![0-9A-Za-z.])s\.[A-Za-z0-9]{24}(?![0-9A-Za-z.])",
        "developer.hashicorp.com/vault/docs/concepts/tokens",
        80,
    ),
    Nearby(
        "airtable_key",
        ("airtable",),
        r"(?<![0-9A-Za-z])key[A-Za-z0-9]{14}(?![0-9A-Za-z])",
        "airtable.com/developers/web/api",
        80,
    ),
    Nearby(
        "mailgun_key",
        ("mailgun",),
        r"(?<![0-9a-z])[0-9a-f]{32}-[0-9a-f]{8}-[0-9a-f]{8}(?![0-9a-z])",
        "documentation.mailgun.com",
        100,
    ),
    Nearby(
        "discord_bot_token",
        ("discord",),
        r"(?<![A-Za-z0-9_-])[MNO][A-Za-z0-9_-]{23,27}+\.[A-Za-z0-9_-]{6,7}+\.[A-Za-z0-9_-]{27,40}+",
        "discord.com/developers/docs/reference#authentication",
        100,
    ),
    Nearby(
        "sonar_token",
        ("sonar.login", "sonar.token", "sonar_login", "sonar_token"),
        r"(?<![0-9A-Za-z])[0-9a-f]{40}(?![0-9A-Za-z])",
        "docs.sonarsource.com/sonarqube-server/user-guide/managing-tokens",
        60,
    ),
    Nearby(
        "newrelic_key",
        ("newrelic", "new_relic", "new relic"),
        r"(?<![0-9A-Za-z])[0-9a-f]{40}(?![0-9A-Za-z])",
        "docs.newrelic.com/docs/apis/intro-apis/new-relic-api-keys",
        80,
    ),
    Nearby(
        "okta_token",
        ("okta", "ssws"),
        r"(?<![0-9A-Za-z_-])00[A-Za-z0-9_-]{40}(?![0-9A-Za-z_-])",
        "developer.okta.com/docs/guides/create-an-api-token",
        100,
    ),
    Nearby(
        "web_key", ('"kty"',), r'"d"\s{0,3}:\s{0,3}"[A-Za-z0-9_-]{20,600}+"', "www.rfc-editor.org/rfc/rfc7517", 1500
    ),
)
