"""Nothing secret or personal leaves the process, and what is needed for a diagnosis does.

Canaries are made up, and built from pieces so that no scanner of repositories takes them for real.
"""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemostat.diagnosis.redact import MAX_GROWTH, redact
from hemostat.diagnosis.redaction.marks import KINDS

LOW, HEX = "q7w2e9r4t6y1u8i3o5p0a2s4d6f8g1h3", "9f86d081884c7d659a2feaa0c55ad015"
MIX = "aB3xK9mQ2rT7vW4yZ8nP5cD1fG6hJ0sLe"
PEM = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj"

CANARIES = [
    # other words, other alphabets, and what stands between a name and its value
    ("password hunter2zebra", "hunter2zebra", "password"),
    ("the password hunter2zebra was rejected", "hunter2zebra", "password"),
    ("Passwort hunter2zebra", "hunter2zebra", "password"),
    ("Passwort ist hunter2zebra", "hunter2zebra", "password"),
    ("password for db: hunter2zebra", "hunter2zebra", "password"),
    ("password (db): hunter2zebra", "hunter2zebra", "password"),
    ('{"password": {"valueFrom": {"x": 1}, "value": "hunter2zebra"}}', "hunter2zebra", "password"),
    ('{"password": {"plain": "hunter2zebra"}}', "hunter2zebra", "password"),
    ('{"password": {"old": "hunter2zebra"}}', "hunter2zebra", "password"),
    ("password: {type: string, default: hunter2zebra}", "hunter2zebra", "password"),
    (" password:\n   plain: hunter2zebra\n user: x", "hunter2zebra", "password"),
    ('password = Secret(value="hunter2zebra")', "hunter2zebra", "password"),
    ('password["db"] = "hunter2zebra"', "hunter2zebra", "password"),
    ("contraseña: hunter2zebra", "hunter2zebra", "password"),
    ("mot de passe : hunter2zebra", "hunter2zebra", "password"),
    ("senha=hunter2zebra", "hunter2zebra", "password"),
    ("wachtwoord=hunter2zebra", "hunter2zebra", "password"),
    ("hasło: hunter2zebra", "hunter2zebra", "password"),
    ("пароль: hunter2zebra", "hunter2zebra", "password"),
    ("密码: hunter2zebra", "hunter2zebra", "password"),
    ("Geheimnis: hunter2zebra", "hunter2zebra", "secret"),
    ("Zugangsdaten: admin/hunter2zebra", "hunter2zebra", "secret"),
    ("API-Schlüssel: hunter2zebra", "hunter2zebra", "key"),
    ("p\u0430ssw\u043erd=hunter2zebra", "hunter2zebra", "password"),
    ("\u01bfassword=hunter2zebra", "hunter2zebra", "password"),
    ("p\u237assword=hunter2zebra", "hunter2zebra", "password"),
    ("pass\u2c73ord=hunter2zebra", "hunter2zebra", "password"),
    ("pâsswórd=hunter2zebra", "hunter2zebra", "password"),
    ("\ua4d1assword=hunter2zebra", "hunter2zebra", "password"),
    ("\u13e2ASSWORD=hunter2zebra", "hunter2zebra", "password"),
    ("passw0rd=hunter2zebra", "hunter2zebra", "password"),
    ("p@ssword=hunter2zebra", "hunter2zebra", "password"),
    # known formats, wherever they stand
    (f"using AKIA{'Q3EG' * 4} now", f"AKIA{'Q3EG' * 4}", "key"),
    (f"aws_secret_access_key = {MIX}/+4567AB", MIX, "key"),
    (f"aws_session_token: {MIX}{MIX}==", MIX, "token"),
    (f"GET /maps?q=1&key=AIza{MIX}ab&v=2", f"AIza{MIX}ab", "key"),
    (f"got ya29.{MIX} from metadata", f"ya29.{MIX}", "token"),
    (f"DefaultEndpointsProtocol=https;AccountName=x;AccountKey={MIX}==;EndpointSuffix=y", MIX, "key"),
    (f"https://x.blob.core.windows.net/c?sv=2024&sig={MIX}%3D&se=2026", MIX, "secret"),
    (f"remote: ghp_{MIX}abc denied", f"ghp_{MIX}abc", "token"),
    (f"github_pat_{MIX}_{MIX}", MIX, "token"),
    (f"glpat-{MIX[:20]}", MIX[:20], "token"),
    (f"xoxb-123456789012-{MIX}", MIX, "token"),
    (f"POST https://hooks.slack.com/services/T0001/B0001/{MIX}", MIX, "token"),
    (f"OpenAI said no to sk-proj-{MIX}", MIX, "key"),
    (f"x-api-key: sk-ant-api03-{MIX}", MIX, "key"),
    (f"stripe sk_live_{MIX}", MIX, "key"),
    (f"hf_{MIX} hvs.{MIX} dckr_pat_{MIX}", MIX, "token"),
    (f"SG.{MIX[:22]}.{MIX}{MIX[:10]}", MIX[:22], "key"),
    (f"cookie jar: eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.{MIX}", "eyJzdWIiOiIxMjM0In0", "token"),
    # headers
    (f"Authorization: Bearer {LOW}", LOW, "token"),
    ('{"headers":{"authorization":"Basic dXNlcjpodW50ZXIy"}}', "dXNlcjpodW50ZXIy", "token"),
    ("> proxy-authorization: Basic dXNlcjpodW50ZXIy", "dXNlcjpodW50ZXIy", "token"),
    (f"curl -H 'Authorization: token {LOW}' x", LOW, "token"),
    (f"sent with bearer {LOW}", LOW, "token"),
    ("Cookie: theme=dark; sid=zebra-quagga-1; lang=en", "zebra-quagga-1", "token"),
    ("Set-Cookie: session=zebra-quagga-1; Path=/", "zebra-quagga-1", "token"),
    ("X-Auth-Token: zebraquagga", "zebraquagga", "token"),
    # addresses
    ("postgres://shop:zebra-quagga@db:5432/shop", "zebra-quagga", "password"),
    ("redis://:zebra@qua/gga@cache:6379/0", "zebra@qua/gga", "password"),
    ("mongodb+srv://u:zebraquagga@c0.mongodb.net/?w=1", "zebraquagga", "password"),
    ("amqp://guest:zebra%40quagga@mq", "zebra%40quagga", "password"),
    ("dial root:zebraquagga@tcp(mysql:3306)/shop", "zebraquagga", "password"),
    ("jdbc:oracle:thin:scott/zebraquagga@//db:1521/x", "zebraquagga", "password"),
    ("jdbc:postgresql://db/shop?user=a&password=zebraquagga&ssl=true", "zebraquagga", "password"),
    (f"SENTRY=https://{HEX}@o1.ingest.sentry.io/2", HEX, "token"),
    (f"postgres://iam:{'A%2Fb' * 400}@db/x", "A%2Fb", "password"),
    # names, in every way that names are written
    ("DB_PASSWORD=zebraquagga", "zebraquagga", "password"),
    ("export DB_PASS='zebra quagga'", "zebra quagga", "password"),
    ('{"dbPassword": "zebra \\"quagga\\""}', "quagga", "password"),
    ('{"msg":"{\\"password\\":\\"zebraquagga\\"}"}', "zebraquagga", "password"),
    ('{"password":"zebraquagga', "zebraquagga", "password"),
    ("  password: zebra quagga okapi", "okapi", "password"),
    ("  tls.secret: |\n    zebraquagga\n    okapi\n  next: 1", "okapi", "secret"),
    ("clientSecret: zebraquagga", "zebraquagga", "secret"),
    ("Server=db;User Id=sa;Password=zebraquagga;Encrypt=true", "zebraquagga", "password"),
    ("config['api_key'] = 'zebraquagga'", "zebraquagga", "key"),
    ("{api-key: zebraquagga, region: eu}", "zebraquagga", "key"),
    ("<db><password>zebraquagga</password></db>", "zebraquagga", "password"),
    ("POST /login?user=bob&pwd=zebraquagga&x=1", "zebraquagga", "password"),
    ("access_token=zebraquagga&token_type=bearer", "zebraquagga", "token"),
    ("env DB_PASSWORD: zebra1 -> quagga2", "quagga2", "password"),
    ("env DB_PASSWORD zebra -> quagga", "quagga", "password"),
    ("- name: DB_PASSWORD\n  value: zebraquagga", "zebraquagga", "password"),
    ('{"name":"API_TOKEN","value":"zebraquagga"}', "zebraquagga", "token"),
    ("helm --set x --password zebraquagga", "zebraquagga", "password"),
    ('args: ["--token", "zebraquagga"]', "zebraquagga", "token"),
    ("  - --api-key\n  - zebraquagga\n", "zebraquagga", "key"),
    ("passwords: [zebra, quagga]", "quagga", "password"),
    ("DB_PASSWORD=$zebraquagga", "zebraquagga", "password"),
    ("password: ${DB_PASSWORD:-zebraquagga}", "zebraquagga", "password"),
    (f"secretAccessKey: /{MIX}", MIX, "key"),
    ("-  password: zebra okapi\n+  password: zebra quagga", "quagga", "password"),
    ("SECRET_KEY_BASE=zebraquagga", "zebraquagga", "key"),
    ("vault secret_id: zebraquagga", "zebraquagga", "secret"),
    ("DB_PASSWORD_2=zebraquagga", "zebraquagga", "password"),
    ("curl -u admin:zebraquagga https://x", "zebraquagga", "password"),
    ("mysql -h db -u root -pzebraquagga shop", "zebraquagga", "password"),
    ("ALTER ROLE shop PASSWORD 'zebraquagga'", "zebraquagga", "password"),
    ("the password is zebra7quagga", "zebra7quagga", "password"),
    (f"api key {HEX} was refused", HEX, "secret"),
    (f"the token `{MIX}` has expired", MIX, "secret"),
    (f"auth: {MIX}", MIX, "secret"),
    (f"loaded {MIX}{MIX}", MIX, "secret"),
    # as it is escaped on its way into a log
    ("body: user%3Dbob%26password%3Dzebraquagga%26x%3D1", "zebraquagga", "password"),
    ("%7B%22db%22%3A%20%7B%22password%22%3A%20%22zebraquagga%22%7D%7D", "zebraquagga", "password"),
    ("{&quot;password&quot;: &quot;zebraquagga&quot;}", "zebraquagga", "password"),
    ("&lt;password&gt;zebraquagga&lt;/password&gt;", "zebraquagga", "password"),
    ("<password><![CDATA[zebraquagga]]></password>", "zebraquagga", "password"),
    ("q: password\\u003dzebraquagga", "zebraquagga", "password"),
    (json.dumps({"a": json.dumps({"b": json.dumps({"password": "zebraquagga"})})}), "zebraquagga", "password"),
    # as programs print what they hold
    ("headers [('host', 'x'), ('X-Api-Key', 'zebraquagga')]", "zebraquagga", "key"),
    ("{'password': b'zebraquagga'}", "zebraquagga", "password"),
    ('conf.setPassword("zebraquagga")', "zebraquagga", "password"),
    ('"password": {"value": "zebraquagga"}', "zebraquagga", "password"),
    ("password: `zebraquagga`", "zebraquagga", "password"),
    ("PW: zebraquagga", "zebraquagga", "password"),
    ("Passwort=zebraquagga", "zebraquagga", "password"),
    ("password            = zebraquagga", "zebraquagga", "password"),
    ("the password for user app is: zebra7quagga", "zebra7quagga", "password"),
    ("requirepass zebraquagga", "zebraquagga", "password"),
    # characters that look like others, or like nothing
    ("\uff50\uff41\uff53\uff53\uff57\uff4f\uff52\uff44\uff1dzebraquagga", "zebraquagga", "password"),
    ("pass\u200bword=zebraquagga", "zebraquagga", "password"),
    ("pass\u00adword\u00a0=\u00a0zebraquagga", "zebraquagga", "password"),
    ("\x1b[1mpassword\x1b[0m=\x1b[31mzebraquagga\x1b[0m", "zebraquagga", "password"),
    ("card 4111\u00a01111\u00a01111\u00a01111 declined", "1111", "card"),
    ("ada\uff20example.com ada\u200b@example.com", "ada", "email"),
    ("p\u0430ssword=zebraquagga", "zebraquagga", "password"),  # Cyrillic
    ("\u0440\u0430\u0455\u0455\u051d\u043er\u0501: zebraquagga", "zebraquagga", "password"),
    ("\u0391PI_\u039aEY=zebraquagga", "zebraquagga", "key"),  # Greek
    ("\u03a4\u039f\u039a\u0395\u039d=zebraquagga", "zebraquagga", "token"),
    (
        "\U0001d429\U0001d41a\U0001d42c\U0001d42c\U0001d430\U0001d428\U0001d42b\U0001d41d=zebraquagga",
        "zebraquagga",
        "password",
    ),
    ("\u1d18\u1d00\ua731\ua731\u1d21\u1d0f\u0280\u1d05=zebraquagga", "zebraquagga", "password"),
    # the name beside it, or on the line before
    ('{"value": "zebraquagga", "name": "PASSWORD"}', "zebraquagga", "password"),
    ('{"name":"API_TOKEN","sensitive":true,"value":"zebraquagga"}', "zebraquagga", "token"),
    ('{"key":"db.password","value":"zebraquagga"}', "zebraquagga", "password"),
    ("{value: zebraquagga, name: DB_PASSWORD}", "zebraquagga", "password"),
    ("- value: zebra quagga\n  name: DB_PASSWORD", "quagga", "password"),
    ("- name: DB_PASSWORD\n  value: |-\n    zebra\n    quagga\n- name: MODE", "quagga", "password"),
    ("- value: >\n    zebra\n    quagga\n  name: DB_PASSWORD", "quagga", "password"),
    ("value='zebraquagga' name='PASSWORD'", "zebraquagga", "password"),
    ('{\\"value\\":\\"zebraquagga\\",\\"name\\":\\"PASSWORD\\"}', "zebraquagga", "password"),
    ("password:\nzebraquagga\nok", "zebraquagga", "password"),
    ("  db_token:\n    zebraquagga\n  next: 1", "zebraquagga", "token"),
    ('"password":\n  "zebra:quagga",\n"x": 1', "quagga", "password"),
    # short ones
    ("secret aGVsbG8= was refused", "aGVsbG8=", "secret"),
    ("the token is deadbeef", "deadbeef", "secret"),
    ("access key Zm9vYmFy", "Zm9vYmFy", "secret"),
    ("signing secret `8f3a9c1e`", "8f3a9c1e", "secret"),
    ("auth=cafebabe12", "cafebabe12", "secret"),
    # blocks and manifests
    (f"-----BEGIN RSA PRIVATE KEY-----\n{PEM}\n{PEM}\n-----END RSA PRIVATE KEY-----\nok", PEM, "private-key"),
    (f'"-----BEGIN PRIVATE KEY-----\\n{PEM}\\n-----END PRIVATE KEY-----\\n"', PEM, "private-key"),
    (f"-----BEGIN OPENSSH PRIVATE KEY-----\n{PEM}", PEM, "private-key"),
    ("apiVersion: v1\ndata:\n  user: emVicmE=\n  x: cXVhZ2dh\nkind: Secret\n", "cXVhZ2dh", "secret"),
    ('{"kind":"Secret","data":{"user":"emVicmE=","x":"cXVhZ2dh"},"type":"Opaque"}', "cXVhZ2dh", "secret"),
    ("kind: Secret\nstringData:\n  greeting: zebraquagga\n", "zebraquagga", "secret"),
    ("    client-key-data: LS0tLS1CRUdJTiBSU0E=", "LS0tLS1CRUdJTiBSU0E=", "key"),
    # people
    ("order of ada.lovelace+shop@example.co.uk failed", "ada.lovelace", "email"),
    ("GET /u?mail=ada%40example.com", "ada", "email"),
    ("ada&#64;example.com", "ada", "email"),
    ("ada@v1.example.com", "ada", "email"),
    ("call 0049 30 9018200", "9018200", "phone"),
    ("call +49 (0)30 901820-12", "901820", "phone"),
    ("sms to +14155550123", "4155550123", "phone"),
    ("(415) 555-0123 or 415-555-0199", "555", "phone"),
    ("phone=0309018200", "0309018200", "phone"),
    ("from DE89 3704 0044 0532 0130 00", "0532", "iban"),
    ("iban GB82WEST12345698765432", "12345698765432", "iban"),
    ("card 4111 1111 1111 1111 declined", "1111", "card"),
    ("pan=5555555555554444", "5555555555554444", "card"),
    ("amex 3782-822463-10005", "822463", "card"),
    ('{"cardNumber":"1234-5678-9101-1121","cvv":"737"}', "737", "personal"),
    ("emails: ['ada@example.com']", "ada", "email"),
    ("ssn 078-05-1120", "078-05-1120", "personal"),
    ('{"first_name":"Ada","lastName": "Lovelace"}', "Lovelace", "personal"),
    ('93.184.216.34 - - "GET /"', "93.184.216.34", "ip"),
    ("client 2606:2800:220:1:248:1893:25c8:1946 gone", "248:1893", "ip"),
    ("client 203.0.113.7:443 gone", "203.0.113.7", "ip"),
    ("client [2001:db8::7] gone", "2001:db8", "ip"),
]

ORDINARY = """
password sha256 mismatch, password attempt 3 of 5, password reset requested, wrong password entered
secret db-creds2 not found, café über façade, tokens: {"in": 100}
"password": {"secretKeyRef": {"name": "db", "key": "password"}}
2026-11-22T02:04:39.123456Z  INFO [payment,4bf92f3577b34da6a3ce929d0e0e4736,00f067aa0ba902b7] took 12.5ms status=200
traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
Back-off pulling image "registry.k8s.io/payment@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
image ghcr.io/shop/payment:v1.2.3-4-gdeadbeef from 10.0.3.17:5000, node ip-192-168-3-4.eu-west-1.compute.internal
pod/payment-7d9f8b6c5-x2x4z (uid 550e8400-e29b-41d4-a716-446655440000) in namespace shop was OOMKilled, exit code 137
MountVolume.SetUp failed for volume "creds" : secret "db-creds-7f9c5" not found
Error: couldn't find key password in Secret shop/db-credentials
automountServiceAccountToken: false
secretName: payment-tls
    secretKeyRef: {name: db, key: password}
tokenExpirationSeconds: 3607
prompt_tokens=1234 completion_tokens: 56 total_tokens=1290 max_tokens=4096 token_count=3
gen_ai.usage.input_tokens 1200 and tokens per second 55
SyntaxError: Unexpected token } in JSON at position 42
invalid token for pod payment-7d9f8b6c5-x2x4z-abcdefgh
invalid token in trace 4bf92f3577b34da6a3ce929d0e0e4736
password authentication failed for user "shop"
password: incorrect
PASSWORD_FILE=/run/secrets/db PWD=/srv/app
token: ${API_TOKEN} password: {{ .Values.password }}
bearer authentication is required
resourceVersion: "18446744073709551615" generation: 7 at 1763777079123 ns=1763777079123456789 offset 4000000000000
dial tcp 10.96.0.10:53: i/o timeout; 127.0.0.1, 172.17.0.2, 192.168.1.1, 169.254.169.254, 0.0.0.0, fd00::1, fe80::1
GET http://payment:8080/pay?to=x HTTP/1.1 200 615 1024 "Mozilla/5.0 Chrome/120.0.0.0"
goroutine 17 [running]: main.(*Server).handle(0xc000123456, {0x7f3a4c}) /go/pkg/mod/golang.org/x/net@v0.17.0/h.go:12
Normal  BackOff  Pod/giant-narwhal-6958c5bdd8-69gtn  StatefulSet/shop-payment-database-5d8f7c9b64-0  Back-off
    at com.shop.payment.HTTP2ServerConnectionManagerImpl.handle(HTTP2ServerConnectionManagerImpl.java:128)
  File "/usr/local/lib/python3.11/site-packages/sqlalchemy/engine/base.py", line 1967, in _exec_single_context
systemd: getty@tty1.service: Succeeded.  std::vector<a::b::c> 12:30:45 aa:bb:cc:dd:ee:ff
cloned git@github.com:shop/payment.git at 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b
replicas 6 -> 8; image v1.2.3.4 -> v1.2.3.5; cpu 250m -> 500m; +12 -3 lines
slo burn 14.4 over 1h, 6 over 6h; p99 0.250; 1,234,567 requests; order 20261122-000123-42
env DB_PASSWORD changed; env API_TOKEN added; image shop/pay:1 -> shop/pay:2; Secret db-creds mounted
User "system:serviceaccount:shop:pay" cannot get resource "secrets" in API group "" in the namespace "shop"
session.id=3f2a9c gen_ai.conversation.id=conversation-17 partition key: user-17 author: nobody cache key payment/42
kubernetes.io/service-account-token, type=kubernetes.io/service-account-token
- {name: LOG_LEVEL, value: debug}, {name: DB_PASSWORD, valueFrom: {secretKeyRef: {name: db, key: password}}}
value=0.25 name=password_resets_total value: 17 key: tokens_per_second job=token-refresher
secret db-creds-7f9c5 rotated, token bucket refilled, password changed, credentials Provider, key Exchange
secret is mounted; token has expired; the credentials were refused; secret OAuth2 token Base64 secret Sha256Sum
\u0441\u0431\u043e\u0439 \u0441\u0435\u0440\u0432\u0438\u0441\u0430: \u043f\u0430\u0440\u043e\u043b\u044c
\u0440\u043e\u0441\u0442, \u0441\u043e\u0440 \u03b1 \u03a3\u03c6\u03ac\u03bb\u03bc\u03b1 na\u00efve 3\u00b5s
token bucket:
payment-7d9f8b6c5-x2x4z: refilled
level=error msg="context deadline exceeded (Client.Timeout exceeded while awaiting headers)" caller=pay.go:42
"""


@pytest.mark.parametrize(("text", "canary", "kind"), CANARIES, ids=[str(n) for n in range(len(CANARIES))])
def test_no_canary_gets_out(text, canary, kind):
    found = redact(text)
    assert canary not in found
    assert f"[REDACTED:{kind}]" in found


@pytest.mark.parametrize(("text", "canary", "kind"), CANARIES, ids=[str(n) for n in range(len(CANARIES))])
def test_no_canary_gets_out_from_inside_other_texts(text, canary, kind):
    """In a log line, in a JSON string, in a list of YAML, and twice."""
    logged = ("2026-11-22T00:00:00Z ERROR {} (retrying)", '{{"msg": "{}"}}', "{} {}")
    for around in ("- {}", *(() if text.startswith(" ") else logged)):  # what is indented is YAML
        assert canary not in redact(around.format(text, text)), around


CUT_OFF = [
    (f"pushed with ghp_{MIX}", f"ghp_{MIX[:8]}"),
    ("signed with AKIAQ3EGQ3EGQ3EGQ3EG", "AKIAQ3EG"),
    (f"cookie jar: eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.{MIX}", "eyJhbGciO"),
    ("postgres://shop:zebra-quagga@db:5432/shop", "zebra-q"),
    ("order of ada.lovelace+shop@example.co.uk", "ada.lovelace+shop@ex"),
    ("card 4111 1111 1111 1111", "4111 1111"),
    ("sms to +49 170 1234567", "170 12"),
    ("from DE89 3704 0044 0532 0130 00", "DE89 3704"),
    (f"loaded {MIX}{MIX}", MIX[:16]),
]


@pytest.mark.parametrize(("text", "canary"), CUT_OFF)
@pytest.mark.parametrize("mark", ["…", "..."])
def test_what_was_cut_off_is_no_less_secret(text, canary, mark):
    """Messages are cut where they come from, long before they are redacted: at any of their letters."""
    first = text.index(canary) + len(canary)
    assert first < len(text)
    for end in range(first, len(text) + 1):
        assert canary not in redact(f"{text[:end]}{mark} (payment-1 and others)"), text[:end]


@pytest.mark.parametrize(
    "text",
    [
        "Back-off restarting failed container payment in pod payment-7d9f8b6c5-x2x4z…",
        "dial tcp 10.96.0.10:53… and http://payment:8080… at 2026-11-22T02:04:39…",
        'image "registry.k8s.io/payment@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b…',
        "golang.org/x/net@v0.17…",
        "trace 4bf92f3577b34da6a3ce929d0e0e4736... was slow",
    ],
)
def test_what_was_cut_off_and_is_needed_survives(text):
    assert redact(text) == text


@pytest.mark.parametrize("canary", ["4111 1111 1111 1111", "+49 170 1234567"])
def test_an_arrow_is_no_part_of_a_number(canary):
    assert canary not in redact(f"{canary}->payment")


def test_there_are_enough_canaries_of_every_kind():
    assert len({text for text, _, _ in CANARIES}) >= 30
    assert {kind for _, _, kind in CANARIES} == set(KINDS)


@pytest.mark.parametrize("line", ORDINARY.strip("\n").split("\n"))
def test_what_a_diagnosis_needs_survives(line):
    assert redact(line) == line


def test_ordinary_logs_survive_together():
    """Rules over several lines take nothing of the next line."""
    assert redact(ORDINARY) == ORDINARY


def test_what_surrounds_a_secret_stays():
    text = 'level=warn url=postgres://shop:zebra@db:5432/shop token="quagga" attempt=3\n'
    expected = 'level=warn url=postgres://shop:[REDACTED:password]@db:5432/shop token="[REDACTED:token]" attempt=3\n'
    assert redact(text) == expected


def test_only_the_data_of_the_secret_is_taken_from_a_manifest():
    text = "kind: ConfigMap\ndata:\n  a: b\n---\nkind: Secret\ndata:\n  a: b\nmetadata:\n  name: x\n"
    expected = "kind: ConfigMap\ndata:\n  a: b\n---\nkind: Secret\ndata:\n  [REDACTED:secret]\nmetadata:\n  name: x\n"
    assert redact(text) == expected


WORDS = [text for text, _, _ in CANARIES] + [
    *(
        "password=",
        "token:",
        " ",
        "\n",
        '"',
        "'",
        "\\",
        "@",
        "://",
        "[REDACTED:token]",
        "[REDACTED:",
        "-> ",
        "--",
        "{",
        "x",
    ),
    *("p\u0430ss", "\u0441", "\u0436", "name=token", "value=", '"value":"', "token:\n", " aGVsbG8=", "deadbeef"),
    *("Bearer ", "name: ", "value: ", "key", "4111", "a" * 40, "\ue000", "secret", "\u212a", "kind: Secret\ndata:\n "),
]
PIECES = st.lists(st.sampled_from(WORDS) | st.text(max_size=8), max_size=12).map("".join)


@given(PIECES)
def test_redacting_again_changes_nothing(text):
    once = redact(text)
    assert redact(once) == once


@given(PIECES)
def test_no_text_grows_beyond_the_bound(text):
    assert len(redact(text)) <= MAX_GROWTH * len(text) + 24


HOSTILE = [
    *(
        "password:{",
        "password:{a:",
        "password:{a:{}",
        "password[",
        "password[a]",
        "password:a(",
        "password (a) ",
        "passwort a ",
    ),
    *("password:\n a: ", "password:\n a: b\n", "p\u00e2ss", "p\u023ass "),
    *(
        "password=",
        "password:",
        '"password":"',
        "token ",
        "a://",
        "a://b:",
        "a:b@",
        "eyJ",
        "eyJa.",
        "sk-",
        "-----BEGIN PRIVATE KEY",
    ),
    *(
        "-----BEGIN RSA PRIVATE KEY-----",
        '"data":{" ',
        'kind: Secret "data":{" ',
        "kind: Secret\ndata:\n ",
        "data:\n",
        "secret\\",
    ),
    *(
        "a",
        "A1b2",
        "1",
        "1 ",
        "1-",
        "+1 ",
        "1.",
        "a.",
        "a@",
        "a@b.",
        ":",
        "a:",
        " ",
        "\t",
        "\n",
        '"',
        "'",
        "\\",
        '\\"',
        "-",
        "--",
    ),
    *(
        "<password>",
        "--password ",
        "mysql ",
        "name: password ",
        "name: password\nvalue: ",
        "2001:",
        "AB12",
        "AB12 ",
        "bearer ",
    ),
    *(
        "password is ",
        "authorization:",
        "key=",
        "token=[",
        "password=& a",
        "password: x -> ",
        "login a ",
        "\ue000",
        "kind: Secret\n",
    ),
    *(
        "password: |\n ",
        "redis-cli ",
        "thin:",
        "tokentoken",
        "x-",
        "first_name:",
        "---\n",
        "passpass",
        "4111 ",
        "%40",
        "-u a:",
        "password for a ",
        "('password', ",
        "setPassword(",
        "&lt;password&gt;",
        "password%3D",
        "password&",
        "`password`",
        "\x1b[",
        "\u200b",
        "0049 ",
        "a://b:c…",
        "ghp_…",
        "1 …",
        "value=",
        "value='a' ",
        "value: a\n",
        "value: a, b: c, ",
        "name: token, ",
        "name: token, a: b, ",
        "token:\n",
        "token:\na",
        "token:\n:a",
        "token is ",
        "token deadbee",
        "\u0430",
        "p\u0430ss ",
        "AB12 …",
        "a@b.…",
    ),
]


@pytest.mark.parametrize("piece", HOSTILE)
def test_time_is_linear_in_hostile_text(piece):
    """Five times the text takes about five times as long. Slow five times in a row is no chance of the machine."""

    def seconds(size: int) -> float:
        text = piece * (size // len(piece))
        began = time.process_time()
        redact(text)
        return time.process_time() - began

    assert any(seconds(15_000) < 10 * seconds(3_000) + 0.02 for _ in range(5))
