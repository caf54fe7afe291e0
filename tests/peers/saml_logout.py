"""Single logout of the provider in saml_idp.py: pysaml2 makes the orders, reads ours, and judges what we answer."""

import html
import re

from saml2 import BINDING_HTTP_POST, BINDING_HTTP_REDIRECT, saml, xmldsig
from saml2.response import IncorrectlySigned
from saml2.saml import NAMEID_FORMAT_PERSISTENT
from saml2.sigver import verify_redirect_signature
from saml2.time_util import in_a_while

BINDINGS = {"redirect": BINDING_HTTP_REDIRECT, "post": BINDING_HTTP_POST}
NAME = "f7a2c1d0"
SIGN = {"sign_alg": xmldsig.SIG_RSA_SHA256, "digest_alg": xmldsig.DIGEST_SHA256}


def indexes(response):
    """The SessionIndex of each statement of an answer that is in clear."""
    return re.findall(r'SessionIndex="([^"]+)"', str(response))


def order(server, told):
    """An order to end `told["sessions"]`, or all of them where there are none: where it goes, as a page with the form or as
    the address, and its ID."""
    binding, service = BINDINGS[told["binding"]], next(iter(server.metadata.keys()))
    where = server.metadata.single_logout_service(service, binding, "spsso")[0]["location"]
    by_post = binding == BINDING_HTTP_POST
    number, message = server.create_logout_request(
        where,
        service,
        name_id=saml.NameID(format=NAMEID_FORMAT_PERSISTENT, text=NAME),
        expire=in_a_while(minutes=5),
        session_indexes=told["sessions"],
        # A query's signature is beside it.
        sign=by_post,
        **(SIGN if by_post else {}),
    )
    info = server.apply_binding(binding, str(message), where, told["relay_state"], sign=not by_post,
                                sigalg=xmldsig.SIG_RSA_SHA256)
    if by_post:
        return {"id": number, "page": info["data"]}
    return {"id": number, "address": dict(info["headers"])["Location"]}


def signed(server, fields, issuer):
    """Whether the query's signature is by a key of the issuer's metadata."""
    asked = {name: fields[name] for name in ("SAMLResponse", "RelayState", "SigAlg", "Signature") if name in fields}
    keys = server.metadata.certs(issuer, "any", "signing")
    return any(verify_redirect_signature(asked, server.sec.sec_backend, key) for _, key in keys)


def judge(server, fields, binding):
    """Our answer to its order, once pysaml2 accepts it."""
    answer = server.parse_logout_request_response(fields["SAMLResponse"], binding)
    issuer = answer.issuer()
    # Of a query it checks no signature by itself here, and of a form none that is not there.
    if binding == BINDING_HTTP_REDIRECT:
        if not signed(server, fields, issuer):
            raise IncorrectlySigned("the query")
    elif answer.response.signature is None:
        raise IncorrectlySigned("no signature within the form's message")
    code = answer.response.status.status_code
    return {
        "in_response_to": answer.in_response_to,
        "issuer": issuer,
        "status": [code.value] + ([code.status_code.value] if code.status_code else []),
        "relay_state": fields.get("RelayState"),
    }


def obey(server, fields, binding):
    """Our order, once pysaml2 accepts it: what it named, and the page that carries its answer back."""
    told = {name: fields.get(field) for name, field in
            (("relay_state", "RelayState"), ("sigalg", "SigAlg"), ("signature", "Signature"))}
    request = server.parse_logout_request(fields["SAMLRequest"], binding, **told).message
    response = server.create_logout_response(request, [BINDING_HTTP_POST], sign=True, **SIGN)
    info = server.apply_binding(BINDING_HTTP_POST, str(response), destination(response), response=True)
    named = f"{request.name_id.text} {' '.join(index.text for index in request.session_index)}"
    return info["data"].replace("</form>", f"</form><p id=\"named\">{html.escape(named)}</p>")


def destination(response):
    """Where a signed response goes: it is a text by then."""
    return html.unescape(re.search(r'Destination="([^"]+)"', str(response)).group(1))
