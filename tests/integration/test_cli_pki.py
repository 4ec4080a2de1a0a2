# SPDX-License-Identifier: Apache-2.0
"""`sallyport pki`: what it writes is what OpenSSL reads, keys stay private, nothing is overwritten by accident."""
import itertools
import re
import shutil
import stat
import subprocess

import pytest
from files import command, pem, write
from pki import PKI


def pki(folder, *args, **kw):
    return command("pki", *args, cwd=folder, **kw)


def good(folder, *args, **kw):
    done = pki(folder, *args, **kw)
    assert done.returncode == 0 and done.stderr == "", done
    return done.stdout


def openssl(folder, *args, check=True, **kw):
    done = subprocess.run(["openssl", *map(str, args)], cwd=folder, capture_output=True, text=True, **kw)
    assert not check or done.returncode == 0, done
    return done.stdout + done.stderr


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """A CA, a server and a client under the names that everybody looks for."""
    folder = tmp_path_factory.mktemp("pki-command")
    good(folder, "ca")
    good(folder, "server", "--name", "DNS:localhost", "--name", "IP:127.0.0.1")
    good(folder, "client", "--name", "EMAIL:alice@example.com")
    return folder


@pytest.fixture
def folder(fresh, tmp_path):
    """The test's own copy of them."""
    return shutil.copytree(fresh, tmp_path / "pki")


def test_ca_server_and_client_verify_with_openssl(folder):
    for name, purpose in (("server", "sslserver"), ("client", "sslclient")):
        assert "OK" in openssl(folder, "verify", "-x509_strict", "-purpose", purpose, "-CAfile", "ca.crt", f"{name}.crt")
        assert "OK" in openssl(folder, "verify", "-crl_check_all", "-CRLfile", "ca.crl", "-CAfile", "ca.crt", f"{name}.crt")
    wrong = openssl(folder, "verify", "-purpose", "sslserver", "-CAfile", "ca.crt", "client.crt", check=False)
    assert "unsuitable certificate purpose" in wrong


def test_names_and_extensions_are_as_asked(folder):
    text = openssl(folder, "x509", "-in", "server.crt", "-noout", "-text")
    assert "DNS:localhost, IP Address:127.0.0.1" in text and "CN = localhost" in text and "CA:FALSE" in text
    assert "TLS Web Server Authentication" in text and "TLS Web Client Authentication" not in text
    assert "email:alice@example.com" in openssl(folder, "x509", "-in", "client.crt", "-noout", "-text")
    ca = openssl(folder, "x509", "-in", "ca.crt", "-noout", "-text")
    assert "CA:TRUE" in ca and "Certificate Sign, CRL Sign" in ca


def test_keys_are_for_their_owner_only_and_fit_their_certificates(folder):
    for name in ("ca", "server", "client"):
        assert (mode(folder / f"{name}.key"), mode(folder / f"{name}.crt") & 0o077) == (0o600, 0o044)
        public = [openssl(folder, "x509", "-in", f"{name}.crt", "-noout", "-pubkey"), openssl(folder, "pkey", "-in", f"{name}.key", "-pubout")]
        assert public[0] == public[1]


@pytest.mark.parametrize("key, says", [("p256", "NIST CURVE: P-256"), ("p384", "NIST CURVE: P-384"), ("rsa", "rsaEncryption"), ("ed25519", "ED25519")])
def test_kinds_of_keys(folder, key, says):
    good(folder, "server", "--name", "DNS:x.example", "--key", key, "--out", key)
    assert says in openssl(folder, "pkey", "-in", f"{key}.key", "-noout", "-text") + openssl(folder, "x509", "-in", f"{key}.crt", "-noout", "-text")
    assert "OK" in openssl(folder, "verify", "-CAfile", "ca.crt", f"{key}.crt")


def test_options_of_names_days_and_folders(tmp_path):
    good(tmp_path, "ca", "--dir", "deep", "--out", "root", "--name", "My root", "--days", "10")
    good(tmp_path, "client", "--dir", "deep", "--issuer", "root", "--out", "bob", "--name", "URI:spiffe://x/bob", "--common-name", "Bob", "--days", "3")
    text = openssl(tmp_path, "x509", "-in", "deep/bob.crt", "-noout", "-subject", "-issuer", "-checkend", str(2 * 86400), check=False)
    assert "CN = Bob" in text and "CN = My root" in text and "will not expire" in text
    assert "will expire" in openssl(tmp_path, "x509", "-in", "deep/bob.crt", "-noout", "-checkend", str(4 * 86400), check=False)


def test_a_certificate_does_not_outlive_its_issuer(tmp_path):
    good(tmp_path, "ca", "--days", "5")
    good(tmp_path, "server", "--name", "DNS:x", "--days", "90")
    ends = [openssl(tmp_path, "x509", "-in", f"{n}.crt", "-noout", "-enddate") for n in ("ca", "server")]
    assert ends[0] == ends[1]


def test_intermediate_stands_behind_the_certificates_that_it_issues(folder):
    good(folder, "intermediate")
    good(folder, "server", "--issuer", "intermediate", "--name", "DNS:deep.example", "--out", "deep")
    chain = (folder / "deep.crt").read_text()
    assert chain.count("BEGIN CERTIFICATE") == 2 and (folder / "intermediate.crt").read_text() in chain
    assert "OK" in openssl(folder, "verify", "-CAfile", "ca.crt", "-untrusted", "deep.crt", "deep.crt")


def test_no_ca_is_made_that_could_not_verify(folder):
    good(folder, "intermediate")
    done = pki(folder, "intermediate", "--issuer", "intermediate", "--out", "third")
    assert done.returncode == 2 and "may issue leaves only" in done.stderr and not (folder / "third.crt").exists()


@pytest.mark.parametrize("args, files", [
    (["ca"], ["ca.crt", "ca.key", "ca.crl"]),
    (["server", "--name", "DNS:x"], ["server.crt", "server.key"]),
    (["client", "--name", "DNS:x"], ["client.crt", "client.key"]),
])
def test_nothing_is_overwritten_without_force(folder, args, files):
    before = {f: (folder / f).read_bytes() for f in files}
    done = pki(folder, *args)
    assert done.returncode == 2 and "exists already; --force replaces it" in done.stderr
    assert {f: (folder / f).read_bytes() for f in files} == before
    good(folder, *args, "--force")
    assert all((folder / f).read_bytes() != before[f] for f in files)
    assert sorted(p.name for p in folder.iterdir() if "tmp" in p.name) == []


# ---- PKCS#12 ----

def test_p12_opens_with_the_password_that_was_told(folder):
    said = good(folder, "client", "--name", "DNS:c.example", "--out", "browser", "--p12")
    password = re.search(r"the password of \S*browser\.p12 is (\S+)", said)[1]
    assert len(password) >= 16 and mode(folder / "browser.p12") == 0o600
    shown = openssl(folder, "pkcs12", "-in", "browser.p12", "-passin", f"pass:{password}", "-nodes")
    assert "BEGIN CERTIFICATE" in shown and "BEGIN PRIVATE KEY" in shown
    assert "invalid password" in openssl(folder, "pkcs12", "-in", "browser.p12", "-passin", "pass:other", "-nodes", check=False)


def test_p12_takes_its_password_from_a_file_and_does_not_tell_it(folder):
    write(folder / "password", "Grüße, p12\r\nsecond line\n")
    said = good(folder, "client", "--name", "DNS:c.example", "--out", "browser", "--p12", "--password-file", "password")
    assert "Gr" not in said and "password" not in said
    openssl(folder, "pkcs12", "-in", "browser.p12", "-passin", "pass:Grüße, p12", "-nodes")


# ---- revocation ----

def listed(folder, file="ca.crl"):
    text = openssl(folder, "crl", "-in", file, "-noout", "-text", "-CAfile", "ca.crt")
    assert "verify OK" in text
    return set(re.findall(r"Serial Number: (\w+)", text)), int(re.search(r"CRL Number: *\n? *(\d+)", text)[1])


def serial(folder, name):
    return openssl(folder, "x509", "-in", f"{name}.crt", "-noout", "-serial").strip().removeprefix("serial=")


def test_revoke_puts_the_certificate_on_the_crl(folder):
    assert listed(folder) == (set(), 1)
    said = good(folder, "revoke", "client.crt", "--reason", "keyCompromise")
    assert serial(folder, "client").lower() in said
    assert listed(folder) == ({serial(folder, "client")}, 2)
    assert "Key Compromise" in openssl(folder, "crl", "-in", "ca.crl", "-noout", "-text")
    good(folder, "revoke", "server.crt")
    assert listed(folder) == ({serial(folder, "client"), serial(folder, "server")}, 3)
    assert "certificate revoked" in openssl(folder, "verify", "-crl_check", "-CRLfile", "ca.crl", "-CAfile", "ca.crt", "client.crt", check=False)


def test_crl_is_renewed_with_the_same_entries(folder):
    good(folder, "revoke", "client.crt", "--reason", "superseded")
    good(folder, "crl", "--days", "60")
    assert listed(folder) == ({serial(folder, "client")}, 3)
    assert "Superseded" in openssl(folder, "crl", "-in", "ca.crl", "-noout", "-text")


def test_the_crl_is_replaced_whole(folder):
    good(folder, "revoke", "client.crt")
    assert mode(folder / "ca.crl") & 0o044 == 0o044 and not list(folder.glob("*tmp*"))


@pytest.mark.parametrize("args, says", [
    (["revoke", "client.crt", "--reason", "boredom"], "boredom"),
    (["revoke", "nowhere.crt"], "cannot open nowhere.crt"),
    (["revoke", "client.key"], "private key"),
    (["revoke", "stranger.crt"], "was not issued by"),
    (["revoke", "client.crt", "--issuer", "nobody"], "nobody.crt"),
    (["revoke"], "CERT is missing"),
    (["server"], "--name is wanted"),
    (["server", "--name", "HOST:x", "--out", "new"], "HOST:x"),
    (["server", "--name", "IP:x", "--out", "new"], "IP:x"),
    (["server", "--name", "DNS:x", "--out", "new", "--days", "0"], "from 1 to"),
    (["server", "--name", "DNS:x", "--out", "new", "--key", "dsa"], "p256|p384|rsa|ed25519"),
    (["server", "--name", "DNS:x", "--out", "new", "--issuer", "server"], "is no CA"),
    (["client", "--name", "DNS:x", "--out", "new", "--password-file", "x"], "goes with --p12"),
    (["client", "--name", "DNS:x", "--out", "no/such/folder"], "no/such/folder"),
    (["sign"], "no command 'sign'"),
    ([], "usage"),
    (["convert"], "FILE… is missing"),
])
def test_what_cannot_be_done_ends_with_2_and_writes_nothing(folder, args, says):
    good(folder, "ca", "--dir", "elsewhere")
    good(folder, "client", "--dir", "elsewhere", "--name", "DNS:stranger")
    (folder / "elsewhere/client.crt").rename(folder / "stranger.crt")
    before = {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}
    done = pki(folder, *args)
    assert done.returncode == 2 and says in done.stderr, done
    assert {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()} == before


def test_revoking_twice_is_told(folder):
    good(folder, "revoke", "client.crt")
    done = pki(folder, "revoke", "client.crt")
    assert done.returncode == 2 and "already" in done.stderr and listed(folder)[1] == 2


# ---- conversion ----

FORMATS = ["pem", "der", "p7", "p12"]


@pytest.fixture
def forms(folder):
    """The client's certificate in every format, with its key where there is room for it, by OpenSSL."""
    write(folder / "password", "secret\n")
    openssl(folder, "x509", "-in", "client.crt", "-outform", "der", "-out", "in.der")
    openssl(folder, "crl2pkcs7", "-nocrl", "-certfile", "client.crt", "-out", "in.p7")
    openssl(folder, "pkcs12", "-export", "-in", "client.crt", "-inkey", "client.key", "-passout", "pass:secret", "-out", "in.p12")
    write(folder / "in.pem", (folder / "client.crt").read_bytes())
    return folder


def fingerprint(folder, file, form):
    """What OpenSSL reads from FILE, which is in FORM."""
    if form == "p7":
        write(folder / "out.of.p7", openssl(folder, "pkcs7", "-in", file, "-print_certs"))
    elif form == "p12":
        write(folder / "out.of.p12", openssl(folder, "pkcs12", "-in", file, "-passin", "pass:secret", "-nodes"))
    source, inform = (f"out.of.{form}", "pem") if form in ("p7", "p12") else (file, form)
    return openssl(folder, "x509", "-in", source, "-inform", inform, "-noout", "-fingerprint", "-sha256")


@pytest.mark.parametrize("source, to", [p for p in itertools.product(FORMATS, FORMATS)], ids="-to-".join)
def test_convert_from_every_format_to_every_format(forms, source, to):
    key = ["client.key"] if to == "p12" and source != "p12" else []
    args = ["convert", f"in.{source}", *key, "--to", to, "--out", "out", "--password-file", "password"]
    done = pki(forms, *args)
    if (source, to) == ("p12", "der") or (source, to) == ("p12", "p7"):  # there is no room for the key
        assert done.returncode == 2 and not (forms / "out").exists(), done
        return
    assert done.returncode == 0, done
    assert fingerprint(forms, "out", to) == openssl(forms, "x509", "-in", "client.crt", "-noout", "-fingerprint", "-sha256")
    assert mode(forms / "out") == (0o600 if "p12" in (source, to) else 0o644)
    if source == "p12" and to == "pem":
        assert openssl(forms, "pkey", "-in", "out", "-pubout") == openssl(forms, "pkey", "-in", "client.key", "-pubout")


def test_convert_makes_up_a_password_and_tells_it(forms):
    done = pki(forms, "convert", "client.crt", "client.key", "--to", "p12", "--out", "new.p12")
    password = re.search(r"the password of new\.p12 is (\S+)", done.stderr)[1]
    openssl(forms, "pkcs12", "-in", "new.p12", "-passin", f"pass:{password}", "-noout")


def test_convert_writes_to_standard_output(forms):
    assert pki(forms, "convert", "in.der").stdout == (forms / "client.crt").read_text()


def test_convert_orders_a_chain(tmp_path):
    made = PKI(tmp_path)
    root = made.ca("root")
    upper = made.ca("upper", issuer=root)
    lower = made.ca("lower", issuer=upper)
    leaf = lower.issue("leaf", "server")
    write(tmp_path / "mixed.pem", pem(upper, leaf, root, lower))
    done = pki(tmp_path, "convert", "mixed.pem", "--order", "--out", "chain.pem")
    assert done.returncode == 0, done
    assert (tmp_path / "chain.pem").read_bytes() in (pem(leaf, lower, upper, root), pem(leaf, lower, upper))


def test_convert_keeps_crls_and_keys(forms):
    for name, kind in (("ca.crl", "crl"), ("client.key", "pkey")):
        pki(forms, "convert", name, "--to", "der", "--out", f"{kind}.der")
        pki(forms, "convert", f"{kind}.der", "--to", "pem", "--out", f"{kind}.pem")
        assert openssl(forms, kind, "-in", f"{kind}.pem") == openssl(forms, kind, "-in", name)


@pytest.mark.parametrize("args, says", [
    (["in.p12"], "password"),
    (["in.p12", "--password-file", "wrong"], "password"),
    (["client.crt", "server.key", "--to", "p12"], "belongs to none"),
    (["client.crt", "--to", "p12"], "private key"),
    (["client.crt", "server.crt", "--to", "der"], "one certificate"),
    (["garbage"], "garbage"),
    (["client.key", "server.key"], "second private key"),
    (["encrypted.key"], "encrypted"),
])
def test_convert_says_what_does_not_go(forms, args, says):
    write(forms / "wrong", "wrong\n")
    write(forms / "garbage", b"\x00garbage")
    openssl(forms, "pkey", "-in", "client.key", "-aes256", "-passout", "pass:x", "-out", "encrypted.key")
    done = pki(forms, "convert", *args, "--out", "out")
    assert done.returncode == 2 and says in done.stderr and not (forms / "out").exists(), done


def test_convert_does_not_overwrite_without_force(forms):
    done = pki(forms, "convert", "in.der", "--out", "client.crt")
    assert done.returncode == 2 and "--force" in done.stderr
    assert pki(forms, "convert", "in.der", "--out", "client.crt", "--force").returncode == 0
