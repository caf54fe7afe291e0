"""Makes everything under `saml/` and `keys/`: `python make_saml.py`, in an environment with tests/peers/requirements.txt."""

import accept
import accept_encrypted
import accept_rules
import accept_text
import check
import feed
import keys
import signer
from common import SAML, write_cases

HEAD = """Signed SAML Responses with the verdict that each must get. Made by make/make_saml.py; signed by libxmlsec1.

file            beside this one
config          the configuration to hold it against
at              the instant of verification
in_response_to  the request that the browser holds; left out: none; "*": not looked at
provider        the provider that was asked; left out: by Issuer
route           the route's path; left out: only the provider's rules
expect          "accepted" or the exact reason code
identity        what an accepted one must yield; a value that is not named is not looked at
after           a file that must have been accepted just before (replay)
opaque          true: told apart from the others that have it by nothing, neither code nor detail
tests           T..: the incident it stands for; a number: the rule of the profile's checklist

One run with one replay memory takes them all, in this order: no two accepted cases share an assertion."""


def main() -> None:
    keys.make_missing()
    feed.write()
    SAML.mkdir(exist_ok=True)
    made = []
    for part in (accept.shapes, accept.algorithms, accept.signatures, accept_text.xml_forms, accept_text.texts,
                 accept_text.namespaces, accept_rules.rules, accept_rules.relaxed, accept_rules.edges,
                 accept_encrypted.algorithms, accept_encrypted.keys, accept_encrypted.signatures, accept_encrypted.forms):
        part(made)
    try:
        import reject
        reject.parts(made)
    except ImportError as missing:
        print("without", missing)
    cases, names = [], set()
    for old in SAML.glob("*.xml"):
        if not old.name.startswith("metadata"):
            old.unlink()
    for name, text, case in made:
        entry = {"file": case.pop("file", f"{name}.xml"), "config": case.pop("config", "grindvakt.toml"),
                 "at": case.pop("at", "2026-03-01T10:00:05Z")}
        entry.update({k: v for k, v in case.items() if v is not None and v != []})
        if text is not None:
            assert name not in names, name
            names.add(name)
            (SAML / entry["file"]).write_bytes(text if isinstance(text, bytes) else text.encode())
        cases.append(entry)
    write_cases(SAML / "cases.toml", HEAD, cases)
    signer.save_cache()
    check.saml(cases)
    print(len(cases), "cases,", sum(c["expect"] == "accepted" for c in cases), "accepted")


if __name__ == "__main__":
    main()
