# SPDX-License-Identifier: Apache-2.0
"""`sallyport check`: every mistake is told with FILE:LINE:COLUMN and the remedy, before anything runs.

In the configurations here `»` stands where the message has to point; it is taken out before the file is written.
"""
import os
import re
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.serialization import pkcs7, pkcs12
from files import HOUR, command, pem, write
from pki import DAY, NOW, PKI

REST = """
target_groups:
  - {name: app, protocol: HTTP, targets: [{address: "127.0.0.1:1"}]}
  - {name: raw, protocol: TCP, targets: [{address: "127.0.0.1:1"}]}
"""


def https(more="", certificates="[{certificate: server.crt, key: server.key}]", name="localhost"):
    return f"""listeners:
  - name: web
    protocol: HTTPS
    address: 127.0.0.1:0
    certificates: {certificates}
    rules: [{{domain: {name}, path: /, target_group: app}}]
    {more}
{REST}"""


MUTUAL = "authentication: mutual\n    client_ca: [ca.crt]"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """server.crt and .key, its CA ca.crt and ca.crl, and files that somebody could mistake for them."""
    folder = tmp_path_factory.mktemp("check")
    pki = PKI(folder)
    ca = pki.ca("ca")
    middle = pki.ca("middle", issuer=ca)
    server = ca.issue("server", "server", ["DNS:localhost"])
    ca.crl()
    middle.crl()
    ca.issue("other", "server", ["DNS:localhost"])
    ca.issue("expired", "server", ["DNS:localhost"], not_before=-2 * DAY, not_after=-HOUR)
    ca.issue("future", "server", ["DNS:localhost"], not_before=HOUR, not_after=DAY)
    ca.issue("nameless", "server", [])
    ca.issue("elsewhere", "server", ["DNS:elsewhere.example"])
    ca.issue("client", "client")
    ca.issue("ed", "server", ["DNS:localhost"], key="ed25519")
    ca.issue("rsa", "server", ["DNS:localhost"], key="rsa")
    ca.issue("rsa-sign", "server", ["DNS:localhost"], key="rsa", key_usage=("digital_signature",))
    ca.issue("short", "server", ["DNS:localhost"], key="rsa1024")
    ca.crl(this_update=-2 * DAY, next_update=-HOUR, file=folder / "stale.crl")
    plain = x509.CertificateRevocationListBuilder().issuer_name(ca.subject).last_update(NOW - DAY).next_update(NOW + DAY)
    write(folder / "no-number.crl", plain.sign(ca.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    point = x509.IssuingDistributionPoint(None, None, False, False, None, False, True)
    ca.crl(file=folder / "attributes.crl", extensions=[(point, True)])
    under = middle.issue("under", "server", ["DNS:localhost"])
    write(folder / "swapped.crt", pem(middle, under))
    write(folder / "gap.crt", pem(under, ca))
    write(folder / "twisted.crt", pem(under, ca, middle))
    write(folder / "server.der", server.der)
    write(folder / "server.p12", pkcs12.serialize_key_and_certificates(
        b"x", server.key, server.cert, None, serialization.BestAvailableEncryption(b"x")))
    write(folder / "server.p7b", pkcs7.serialize_certificates([server.cert], serialization.Encoding.PEM))
    write(folder / "encrypted.key", server.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"x")))
    write(folder / "old-encrypted.key", server.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.BestAvailableEncryption(b"x")))
    for name in "server.p12", "encrypted.key", "old-encrypted.key":
        (folder / name).chmod(0o600)
    write(folder / "trusted.crt", pem(ca) + pem(ca).replace(b" CERT", b" TRUSTED CERT"))
    write(folder / "empty", b"")
    write(folder / "garbage", os.urandom(200))
    return folder


def check(folder, text, *args):
    """(completed process, the messages as {"line:column": […]}, and the place of » in TEXT)."""
    at = text.find("»")
    place = f"{text.count(chr(10), 0, at) + 1}:{at - text.rfind(chr(10), 0, at)}" if at >= 0 else None
    file = write(folder / "sallyport.yaml", text.replace("»", ""))
    done = command("check", "-c", file, *args, cwd=folder)
    messages = {}
    for line in done.stderr.splitlines():
        found = re.fullmatch(rf"(warning: )?{re.escape(str(file))}:(\d+:\d+): (.*)", line)
        if found:
            messages.setdefault(found[2], []).append((found[1] or "") + found[3])
    return done, messages, place


CERT = "[{{certificate: »{}, key: {}}}]".format
KEY = "[{{certificate: {}, key: »{}}}]".format

ERRORS = {
    # name: (configuration, what is wrong, the remedy)
    "key_does_not_match": (https(certificates=KEY("server.crt", "other.key")), "other.key is not the key of ", "give the key that"),
    "key_of_another_certificate_in_the_chain": (https(certificates=CERT("swapped.crt", "under.key")), "must come first", "pki convert --order"),
    "chain_out_of_order": (https(certificates=CERT("twisted.crt", "under.key")), "not the issuer of certificate 1", "pki convert --order"),
    "chain_with_a_gap": (https(certificates=CERT("gap.crt", "under.key")), "the issuer is not in the file", "pki convert"),
    "pkcs12_where_pem_is_meant": (https(certificates=CERT("server.p12", "server.key")), "looks like PKCS#12", "sallyport pki convert"),
    "pkcs12_as_the_key": (https(certificates=KEY("server.crt", "server.p12")), "looks like PKCS#12", "sallyport pki convert"),
    "pkcs7_where_pem_is_meant": (https(certificates=CERT("server.p7b", "server.key")), "looks like PKCS#7", "sallyport pki convert"),
    "encrypted_key": (https(certificates=KEY("server.crt", "encrypted.key")), "encrypted", "openssl pkey"),
    "encrypted_key_of_the_old_kind": (https(certificates=KEY("server.crt", "old-encrypted.key")), "encrypted", "openssl pkey"),
    "certificate_and_key_exchanged": (https(certificates=CERT("server.key", "server.crt")), "looks like a private key", "give the file"),
    "short_rsa_key": (https(certificates=CERT("short.crt", "short.key")), "1024 bits", "accepted: 2048"),
    "mutual_without_client_ca": (https("authentication: »mutual"), "mutual needs client_ca", "whose clients may enter"),
    "client_ca_under_one_way": (https("»client_ca: [ca.crt]"), "client_ca is of no use", "authentication: mutual"),
    "client_ca_that_is_no_ca": (https("authentication: mutual\n    client_ca: [»server.crt]"), "is not a CA", "name the certificate of the CA"),
    "client_ca_that_is_an_intermediate": (https("authentication: mutual\n    client_ca: [»middle.crt]"), "intermediate", "name the root"),
    "client_ca_of_which_only_openssl_knows_the_form": (https("authentication: mutual\n    client_ca: [»trusted.crt]"), "TRUSTED CERTIFICATE", "openssl x509 -in"),
    "crl_that_is_a_certificate": (https(MUTUAL + "\n    revocation: {crl: [»ca.crt]}"), "looks like a certificate", "give the file"),
    "unknown_key": (https("»autentication: mutual"), "unknown key", "did you mean authentication?"),
    "unknown_key_far_from_any": (https("»zebra: 1"), "unknown key", "accepted in a listener: "),
    "wrong_word": (https("authentication: »mutal"), "mutal", "did you mean mutual? accepted: one-way, mutual, optional"),
    "wrong_number": ("workers: »0\n" + https(), "0", "accepted: "),
    "wrong_type": (https("tls: »strongest"), "tls", "is wanted"),
    "missing_file": (https(certificates=CERT("nowhere.crt", "server.key")), "nowhere.crt", "No such file"),
    "folder_as_file": (https(certificates=CERT(".", "server.key")), "is no", "file"),
    "empty_file": (https(certificates=CERT("empty", "server.key")), "is empty", ""),
    "garbage_file": (https(certificates=CERT("garbage", "server.key")), "neither PEM nor DER", "-----BEGIN"),
    "no_certificate": ("listeners:\n  - »name: web\n    protocol: HTTPS\n    address: 127.0.0.1:0\n    rules: [{domain: a, target_group: app}]\n"
                       + REST, "needs certificates", "chosen by SNI"),
    "no_such_target_group": (https().replace("target_group: app", "target_group: »ap"), "no target group", "known: app, raw"),
    "group_of_another_kind": (https().replace("target_group: app", "target_group: »raw"), "a group of TCP", "accepted: HTTP"),
    "rsa_key_exchange_without_rsa": (https("tls: »{key_exchange: rsa}"), "needs an RSA certificate", "keyEncipherment"),
    "rsa_key_exchange_without_encipherment": (https("tls: »{key_exchange: rsa}", "[{certificate: rsa-sign.crt, key: rsa-sign.key}]"),
                                              "needs an RSA certificate", "keyEncipherment"),
    "rsa_key_exchange_without_tls_1_2": (https('tls: {versions: ["1.3"], key_exchange: »rsa}', "[{certificate: rsa.crt, key: rsa.key}]"),
                                         "exists in TLS 1.2 only", 'add "1.2"'),
    "not_yaml": ("listeners: [{»]\n", "not YAML", ""),
    "key_twice": ("workers: 1\n»workers: 2\n" + https(), "already at line 1", "keep one"),
    "name_twice": (https().replace("{name: raw", "»{name: app"), "already at line", "change or remove one"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_error(folder, name):
    text, wrong, remedy = ERRORS[name]
    done, messages, place = check(folder, text)
    assert done.returncode == 1 and "not usable" in done.stderr.splitlines()[-1], done.stderr
    here = "\n".join(messages.get(place, []))
    assert here and not here.startswith("warning"), (place, done.stderr)
    assert wrong in here and remedy in here, here


WARNINGS = {
    "own_certificate_expired": (https(certificates=CERT("expired.crt", "expired.key")), "expired", "renew it"),
    "own_certificate_not_yet_valid": (https(certificates=CERT("future.crt", "future.key")), "not valid before", "check the clock"),
    "own_certificate_without_names": (https(certificates=CERT("nameless.crt", "nameless.key")), "no subjectAltName", "clients will refuse it"),
    "own_certificate_for_another_purpose": (https(certificates=CERT("client.crt", "client.key")), "not for servers", "serverAuth"),
    "key_exchange_without_forward_secrecy": (https("tls: {key_exchange: »rsa}", "[{certificate: rsa.crt, key: rsa.key}]"), "no forward secrecy", "ecdhe"),
    "keys_in_workers": (https("tls: {engine: »openssl}"), "needs its private keys in every worker", "with native only the signer"),
    "stale_crl": (https(MUTUAL + "\n    revocation: {crl: [»stale.crl]}"), "due for renewal", "fetch the current one"),
    "no_crl_of_a_ca": (https(MUTUAL + "\n    revocation: »{crl: [middle.crl]}"), "no CRL of CN=ca", "refused as revocation_unknown"),
    "policy_of_a_ca_that_nobody_is": (https(MUTUAL + "\n    revocation: {crl: [ca.crl], per_ca: [»{issuer: CN=cb, policy: soft}]}"),
                                      "no CA that is named here has the name CN=cb", "shows the CA's subject"),
    "crl_without_a_number": (https(MUTUAL + "\n    revocation: {crl: [»no-number.crl]}"), "has no cRLNumber", "publish it with one"),
    "crl_for_attributes": (https(MUTUAL + "\n    revocation: {crl: [»attributes.crl]}"), "attribute certificates only", "name the one"),
}


@pytest.mark.parametrize("name", WARNINGS)
def test_warning_leaves_the_configuration_usable(folder, name):
    text, wrong, remedy = WARNINGS[name]
    done, messages, place = check(folder, text)
    assert done.returncode == 0 and re.search(": ok, [12] warning", done.stdout), done
    here = "\n".join(messages.get(place, []))
    assert here.startswith("warning: ") and wrong in here and remedy in here, (place, done.stderr)


def openssl(*args, stdin=None):
    return subprocess.run(["openssl", *map(str, args)], input=stdin, check=True, capture_output=True).stdout


def forms(folder):
    """name → (certificate file, key file), as the tools of others write them; the key may be in the same file."""
    crt, key = (folder / "under.crt").read_bytes(), (folder / "under.key").read_bytes()
    leaf, issuer = re.findall(rb"-----BEGIN.*?-----END CERTIFICATE-----\n", crt, re.S)
    traditional = openssl("ec", "-in", folder / "under.key")
    parameters = openssl("ecparam", "-name", "prime256v1")
    bundle = openssl("pkcs12", "-export", "-in", folder / "under.crt", "-inkey", folder / "under.key", "-passout", "pass:")
    return {
        "windows": (crt.replace(b"\n", b"\r\n"), key.replace(b"\n", b"\r\n")),
        "byte_order_mark": (b"\xef\xbb\xbf" + crt, b"\xef\xbb\xbf" + key),
        "no_newline_at_the_end": (crt[:-1], key[:-1]),
        "with_text": (openssl("x509", "-in", folder / "under.crt", "-text") + b"\n# the CA\n\n" + issuer, key),
        "old_label": (crt.replace(b" CERTIFICATE", b" X509 CERTIFICATE"), key),
        "with_the_root": (crt + (folder / "ca.crt").read_bytes(), key),
        "ec_parameters": (crt, parameters + traditional),
        "one_file": (crt + key, None),
        "one_file_key_first": (parameters + traditional + crt, None),
        "one_file_key_between": (leaf + key + issuer, None),
        "bag_attributes": (openssl("pkcs12", "-nodes", "-passin", "pass:", stdin=bundle), None),
        "der": ((folder / "server.der").read_bytes(), openssl("pkey", "-in", folder / "server.key", "-outform", "DER")),
    }


def test_files_are_taken_as_the_tools_of_others_write_them(folder, tmp_path):
    for name, (certificate, key) in forms(folder).items():
        files = [write(tmp_path / f"{name}.crt", certificate), write(tmp_path / f"{name}.key", key) if key else tmp_path / f"{name}.crt"]
        files[1].chmod(0o600)
        done, _, _ = check(folder, https(certificates=CERT(*files).replace("»", "")))
        assert (done.returncode, done.stderr) == (0, ""), name


def test_own_certificate_with_another_name_than_it_serves_is_warned_about(folder):
    done, messages, _ = check(folder, https(certificates=CERT("elsewhere.crt", "elsewhere.key")))
    said = [m for at in messages.values() for m in at]
    assert done.returncode == 0 and len(said) == 1, done
    assert said[0].startswith("warning: no certificate of listener ") and " is for localhost: " in said[0]


def test_all_mistakes_are_told_at_once(folder):
    text = https("autentication: mutual\n    zebra: 1", CERT("nowhere.crt", "server.key")).replace("»", "")
    done, messages, _ = check(folder, text)
    assert done.returncode == 1 and len(messages) >= 2, done.stderr


def test_unreadable_file_is_told(folder):
    """Root reads everything, but for an I/O error: /proc/self/mem at 0."""
    if os.geteuid():
        write(folder / "secret.key", b"x").chmod(0)
    secret, why = ("secret.key", "Permission denied") if os.geteuid() else ("/proc/self/mem", "Input/output error")
    done, messages, place = check(folder, https(certificates=KEY("server.crt", secret)))
    assert done.returncode == 1 and why in "\n".join(messages.get(place, [])), done


@pytest.mark.parametrize("file, says", [("/nonexistent.yaml", "No such file"), ("/", "file"), ("garbage", "")])
def test_configuration_that_cannot_be_read(folder, file, says):
    done = command("check", "-c", file, cwd=folder)
    assert done.returncode == 1 and file in done.stderr and says in done.stderr, done


def test_wrong_usage_ends_with_2():
    done = command("check", "--fast")
    assert done.returncode == 2 and "--config" in done.stderr


def test_good_configuration_is_ok_and_said_so_in_one_line(folder):
    done, messages, _ = check(folder, https(MUTUAL + "\n    revocation: {crl: [ca.crl], policy: hard}"))
    assert (done.returncode, done.stderr, messages) == (0, "", {})
    assert done.stdout.count("\n") == 1 and done.stdout.endswith("sallyport.yaml: ok\n")


def test_files_are_relative_to_the_configuration(folder):
    file = write(folder / "sallyport.yaml", https())
    assert command("check", "-c", file, cwd="/").returncode == 0


def test_binds_no_port_and_needs_none_free(folder, target):
    busy = target()
    done, _, _ = check(folder, https().replace("127.0.0.1:0", f"127.0.0.1:{busy.port}"))
    assert done.returncode == 0


EFFECTIVE = https(MUTUAL + """
    client_names: ["DNS:*.fleet.example", "URI:spiffe://example/*"]
    revocation: {crl: [ca.crl], policy: {grace: 24h}}
    tls: {versions: ["1.2"], preference: fastest}
    domains:
      - {name: admin.example, certificates: [{certificate: server.crt, key: server.key}], authentication: mutual, client_ca: [ca.crt]}""")


def test_effective_configuration_has_the_defaults_and_checks_ok_again(folder):
    done, _, _ = check(folder, EFFECTIVE, "-T")
    assert done.returncode == 0 and done.stdout.startswith("listeners:"), done
    for line in ("workers: auto", "scheduler: wrr", "preference: fastest"):
        assert line in done.stdout
    again = write(folder / "effective.yaml", done.stdout)
    twice = command("check", "-c", again, "-T", cwd=folder)
    assert twice.returncode == 0 and twice.stdout == done.stdout, twice


@pytest.mark.parametrize("mode, is_warned", [(0o600, False), (0o640, False), (0o644, True), (0o604, True)])
def test_a_private_key_that_everybody_may_read_is_warned_about(folder, tmp_path, mode, is_warned):
    key = write(tmp_path / "own.key", (folder / "server.key").read_bytes())
    key.chmod(mode)
    file = write(tmp_path / "sallyport.yaml", https(certificates=f"[{{certificate: {folder / 'server.crt'}, key: {key}}}]").encode())
    done = command("check", "-c", file)
    assert done.returncode == 0 and (f"{key}: every user of this machine may read this secret; chmod it to 0600" in done.stderr) == is_warned, done
