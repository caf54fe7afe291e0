"""Throw-away keys: made once, committed, trusted by nothing but these vectors."""

import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from common import KEYS

# name -> (kind, year of notBefore, year of notAfter). Expired on purpose: certificates in metadata only carry keys.
NAMES = {
    "idp-rsa-old": (2048, 2010, 2012),
    "idp-rsa-new": (2048, 2024, 2044),
    "idp-rsa-encryption": (2048, 2024, 2044),
    "idp-rsa3072": (3072, 2015, 2018),
    "idp-p256": (ec.SECP256R1, 2024, 2044),
    "idp-p384": (ec.SECP384R1, 2024, 2044),
    "idp-p521": (ec.SECP521R1, 2024, 2044),
    "idp-urn": (2048, 2011, 2014),
    "idp-mixed-rsa": (2048, 2024, 2044),
    "idp-mixed-ec": (ec.SECP256R1, 2024, 2044),
    "idp-weak-rsa1024": (1024, 2024, 2044),
    "idp-weak-rsa2048": (2048, 2024, 2044),
    "connector": (3072, 2024, 2044),
    "idp-uncertified": (2048, 2024, 2044),
    "idp-sso": (2048, 2024, 2044),
    "idp-unsolicited": (2048, 2024, 2044),
    "idp-expired": (2048, 2024, 2044),
    "broker": (2048, 2024, 2044),
    "feed-signer": (4096, 2024, 2044),
    "feed-signer-next": (ec.SECP256R1, 2024, 2044),
    "attacker-rsa": (2048, 2024, 2044),
    "attacker-p256": (ec.SECP256R1, 2024, 2044),
    "attacker-p384": (ec.SECP384R1, 2024, 2044),
    "sp-decrypt": (3072, 2024, 2044),
    "sp-decrypt-old": (3072, 2020, 2023),
    "stranger": (3072, 2024, 2044),
}


def make_missing() -> None:
    KEYS.mkdir(exist_ok=True)
    for number, (name, (kind, first, last)) in enumerate(NAMES.items(), start=1):
        if (KEYS / f"{name}.pem").exists():
            continue
        if isinstance(kind, int):
            key = rsa.generate_private_key(public_exponent=65537, key_size=kind)
        else:
            key = ec.generate_private_key(kind())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"TEST VECTOR {name}, trusted by nothing")])
        cert = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(number)
            .not_valid_before(datetime.datetime(first, 1, 1))
            .not_valid_after(datetime.datetime(last, 1, 1))
            .sign(key, hashes.SHA256())
        )
        (KEYS / f"{name}.pem").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        (KEYS / f"{name}.crt").write_bytes(cert.public_bytes(serialization.Encoding.PEM))


def private(name: str):
    return serialization.load_pem_private_key((KEYS / f"{name}.pem").read_bytes(), None)


def cert_base64(name: str) -> str:
    """The certificate as one line of base64, for an X509Certificate element."""
    lines = (KEYS / f"{name}.crt").read_text().split("\n")
    return "".join(line for line in lines if line and not line.startswith("-"))
