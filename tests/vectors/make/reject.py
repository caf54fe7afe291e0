"""Everything that must be refused, in the order of the files."""

import reject_attacks
import reject_encrypted
import reject_opened
import reject_rules
import reject_signature
import reject_xsw


def parts(out: list) -> None:
    reject_rules.parts(out)
    reject_signature.parts(out)
    reject_xsw.parts(out)
    reject_attacks.parts(out)
    reject_encrypted.parts(out)
    reject_opened.parts(out)
