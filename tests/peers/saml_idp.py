"""An identity provider made of pysaml2 and xmlsec1: it takes our metadata, checks our requests, and answers them.

usage: saml_idp.py BASE_URL FOLDER [BINDING…]

It listens on a free loopback port and prints one line of JSON: its port, its signed metadata and the certificate of the
key that signed it. The world knows it by BASE_URL; FOLDER is its to write in; by each BINDING (`redirect`, `post`) it takes
messages of single logout. Whoever runs the test tells it over HTTP

    POST /know    {"url": ...}     to fetch a service's metadata and accept its requests from then on
    POST /answer  {...}            how to answer the logins that follow; {} answers as it should (see ANSWER)
    POST /order   {...}            to make an order to end sessions (see saml_logout.py)

and a person's browser visits /sso and /slo. A request that is not accepted gets 403 and the name of what pysaml2 said.
"""

import base64
import datetime
import html
import http.server
import json
import pathlib
import sys
import threading
import traceback
import urllib.parse

import saml_logout
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from saml2 import BINDING_HTTP_POST, BINDING_HTTP_REDIRECT, saml, xmldsig
from saml2.assertion import Policy
from saml2.config import IdPConfig
from saml2.metadata import entities_descriptor, entity_descriptor
from saml2.saml import NAME_FORMAT_URI, NAMEID_FORMAT_PERSISTENT
from saml2.server import Server
from saml2.sigver import get_pem_wrapped_unwrapped, make_temp, pre_encryption_part, security_context

LOA3 = "http://id.elegnamnden.se/loa/1.0/loa3"
LOA2 = "http://id.elegnamnden.se/loa/1.0/loa2"

PERSON = {
    "personalIdentityNumber": ["195006262546"],
    "displayName": ["Åsa Märta Öberg"],
    "givenName": ["Åsa Märta"],
    "sn": ["Öberg"],
    "dateOfBirth": ["1950-06-26"],
}

# How to answer; each can be told otherwise.
ANSWER = {
    "status": None,  # an error status instead of a login, as pysaml2's StatusCode value
    "loa": None,  # None: the first that was asked for
    "without": [],  # attributes to leave out
    "sign_response": True,
    "sign_assertion": False,
    "sign_alg": xmldsig.SIG_RSA_SHA256,
    "digest_alg": xmldsig.DIGEST_SHA256,
    "encrypt": "aes256-gcm",  # None sends it in clear
    "self_contained": True,  # whether the encrypted assertion declares its own namespaces
    "encrypt_to": None,  # the certificate to encrypt to, in base64; None: the service's
    "lifetime": 5,  # minutes
    "issuer": None,
    "audience": None,
    "acs": None,
    "in_response_to": None,
}

CONTENT = {
    "aes128-gcm": ("http://www.w3.org/2009/xmlenc11#aes128-gcm", "aes-128"),
    "aes256-gcm": ("http://www.w3.org/2009/xmlenc11#aes256-gcm", "aes-256"),
    "aes128-cbc": ("http://www.w3.org/2001/04/xmlenc#aes128-cbc", "aes-128"),
    "aes256-cbc": ("http://www.w3.org/2001/04/xmlenc#aes256-cbc", "aes-256"),
    # What pysaml2 does when nobody says otherwise.
    "tripledes": ("http://www.w3.org/2001/04/xmlenc#tripledes-cbc", "des-192"),
}


def make_key(folder, name):
    """An RSA key and a certificate for it, as PEM files."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    paths = folder / f"{name}.key", folder / f"{name}.crt"
    paths[0].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    paths[1].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return tuple(str(path) for path in paths)


class Provider(Server):
    """pysaml2's server, but that the content algorithm of an encrypted assertion can be chosen: pysaml2 takes
    Triple DES and has no setting for it."""

    content = "aes256-gcm"

    def has_encrypt_cert_in_metadata(self, sp_entity_id):
        # It is also told to name services that it does not know.
        return sp_entity_id in self.metadata.keys() and super().has_encrypt_cert_in_metadata(sp_entity_id)

    def _encrypt_assertion(self, encrypt_cert, sp_entity_id, response, node_xpath=None):
        certificates = [(None, encrypt_cert)] if encrypt_cert else self.metadata.certs(sp_entity_id, "any", "encryption")
        name, certificate = certificates[0]
        wrapped, unwrapped = get_pem_wrapped_unwrapped(certificate)
        algorithm, key_type = CONTENT[self.content]
        template = pre_encryption_part(msg_enc=algorithm, key_name=name, encrypt_cert=unwrapped)
        file = make_temp(wrapped.encode("ascii"), decode=False, delete_tmpfiles=True)
        # As text: an object would have its assertion moved a second time.
        return self.sec.encrypt_assertion(str(response), file.name, template, key_type=key_type, node_xpath=node_xpath)


def configuration(base, folder, logout):
    key, certificate = make_key(folder, "idp")
    return {
        "entityid": f"{base}/idp",
        "service": {
            "idp": {
                "name": "A provider that no one here wrote",
                "endpoints": {
                    "single_sign_on_service": [
                        (f"{base}/sso", BINDING_HTTP_REDIRECT),
                        (f"{base}/sso", BINDING_HTTP_POST),
                    ],
                    **({"single_logout_service": [(f"{base}/slo", saml_logout.BINDINGS[name]) for name in logout]}
                       if logout else {}),
                },
                "want_authn_requests_signed": True,
                "name_id_format": [NAMEID_FORMAT_PERSISTENT],
                "policy": {
                    "default": {
                        "lifetime": {"minutes": 5},
                        "attribute_restrictions": None,
                        "name_form": NAME_FORMAT_URI,
                        "nameid_format": NAMEID_FORMAT_PERSISTENT,
                    }
                },
            }
        },
        "assurance_certification": [LOA3, LOA2],
        "key_file": key,
        "cert_file": certificate,
        "encryption_keypairs": [],
        "xmlsec_binary": "/usr/bin/xmlsec1",
        "attribute_map_dir": str(pathlib.Path(__file__).parent / "attributes"),
        "signing_algorithm": xmldsig.SIG_RSA_SHA256,
        "digest_algorithm": xmldsig.DIGEST_SHA256,
        "delete_tmpfiles": True,
    }


def signed_metadata(config, folder):
    """What a federation publishes: the entity in a list that another key has signed."""
    key, certificate = make_key(folder, "feed")
    signer = IdPConfig().load({"entityid": "feed", "key_file": key, "cert_file": certificate})
    signer.xmlsec_binary = "/usr/bin/xmlsec1"
    context = security_context(signer)
    _, document = entities_descriptor(
        [entity_descriptor(config)],
        24,
        "feed",
        None,
        True,
        context,
        sign_alg=xmldsig.SIG_RSA_SHA256,
        digest_alg=xmldsig.DIGEST_SHA256,
    )
    return document, pathlib.Path(certificate).read_text()


class Peer:
    def __init__(self, base, folder, logout):
        self.base = base
        self.config = configuration(base, folder, logout)
        # The server changes what it is given.
        feed, certificate = signed_metadata(IdPConfig().load(dict(self.config)), folder)
        self.hello = {"metadata": feed, "signer": certificate}
        self.server = None
        self.answer = dict(ANSWER)
        # The sessions of the last login, where its answer was in clear.
        self.sessions = []

    def know(self, url):
        self.config["metadata"] = {"remote": [{"url": url}]}
        self.server = Provider(config=IdPConfig().load(dict(self.config)))

    def accept(self, fields, binding):
        """The request, once pysaml2 accepts it, with its signature."""
        if binding == BINDING_HTTP_REDIRECT:
            signed = {name: fields.get(field) for name, field in
                      (("relay_state", "RelayState"), ("sigalg", "SigAlg"), ("signature", "Signature"))}
        else:
            signed = {}
        return self.server.parse_authn_request(fields["SAMLRequest"], binding, **signed).message

    def respond(self, request):
        how, policy = self.answer, self.config["service"]["idp"]["policy"]["default"]
        policy["lifetime"] = {"minutes": how["lifetime"]}
        self.server.config.setattr("idp", "policy", Policy({"default": policy}, self.server.metadata))
        where = self.server.response_args(request, [BINDING_HTTP_POST])
        acs, to = how["acs"] or where["destination"], how["in_response_to"] or request.id
        sign = {"sign_alg": how["sign_alg"], "digest_alg": how["digest_alg"]}
        if how["status"]:
            return acs, self.server.create_error_response(to, acs, (how["status"], "refused"), sign=how["sign_response"], **sign)
        asked = request.requested_authn_context
        loa = how["loa"] or (asked.authn_context_class_ref[0].text if asked else LOA3)
        certificate = how["encrypt_to"]
        if how["encrypt"]:
            self.server.content = how["encrypt"]
            certificate = certificate or self.server.metadata.certs(request.issuer.text, "any", "encryption")[0][1]
        response = self.server.create_authn_response(
            {name: values for name, values in PERSON.items() if name not in how["without"]},
            to,
            acs,
            how["audience"] or request.issuer.text,
            name_id=saml.NameID(format=NAMEID_FORMAT_PERSISTENT, text="f7a2c1d0"),
            authn={"class_ref": loa, "authn_auth": f"{self.base}/idp"},
            issuer=how["issuer"] and saml.Issuer(text=how["issuer"], format=saml.NAMEID_FORMAT_ENTITY),
            sign_response=how["sign_response"],
            sign_assertion=how["sign_assertion"],
            encrypt_assertion=bool(how["encrypt"]),
            encrypt_assertion_self_contained=how["self_contained"],
            encrypt_cert_assertion=certificate if how["encrypt"] else None,
            **sign,
        )
        self.sessions = saml_logout.indexes(response)
        return acs, response


FORM = """<!doctype html><title>pysaml2</title><form method="post" action="{action}">
<input type="hidden" name="SAMLResponse" value="{message}">
{relay}<button type="submit">Continue</button></form><script>document.forms[0].submit()</script>
"""


def handler(peer):
    lock = threading.Lock()

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def reply(self, status, text, kind="text/plain"):
            body = text.encode()
            self.send_response(status)
            self.send_header("content-type", f"{kind}; charset=utf-8")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def sign_on(self, query, binding):
            fields = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
            try:
                request = peer.accept(fields, binding)
            except Exception as refused:
                self.reply(403, type(refused).__name__)
                return
            action, response = peer.respond(request)
            message = base64.b64encode(str(response).encode()).decode()
            relay = fields.get("RelayState")
            relay = relay and f'<input type="hidden" name="RelayState" value="{html.escape(relay)}">\n'
            self.reply(200, FORM.format(action=html.escape(action), message=message, relay=relay or ""), "text/html")

        def single_logout(self, query, binding):
            fields = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
            try:
                if "SAMLResponse" in fields:
                    self.reply(200, json.dumps(saml_logout.judge(peer.server, fields, binding)), "application/json")
                else:
                    self.reply(200, saml_logout.obey(peer.server, fields, binding), "text/html")
            except Exception as refused:
                traceback.print_exc()
                self.reply(403, type(refused).__name__)

        def route(self, body):
            address = urllib.parse.urlsplit(self.path)
            match (self.command, address.path):
                case ("GET", "/sso"):
                    self.sign_on(address.query, BINDING_HTTP_REDIRECT)
                case ("POST", "/sso"):
                    self.sign_on(body, BINDING_HTTP_POST)
                case ("GET", "/slo"):
                    self.single_logout(address.query, BINDING_HTTP_REDIRECT)
                case ("POST", "/slo"):
                    self.single_logout(body, BINDING_HTTP_POST)
                case ("POST", "/order"):
                    told = {"binding": "redirect", "sessions": peer.sessions, "relay_state": "", **json.loads(body)}
                    self.reply(200, json.dumps(saml_logout.order(peer.server, told)), "application/json")
                case ("POST", "/know"):
                    peer.know(json.loads(body)["url"])
                    self.reply(200, "")
                case ("POST", "/answer"):
                    told = json.loads(body)
                    unknown = set(told) - set(ANSWER)
                    peer.answer = {**ANSWER, **told}
                    self.reply(400 if unknown else 200, " ".join(unknown))
                case _:
                    self.reply(404, "")

        def do_GET(self):
            self.do_POST()

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("content-length", "0"))).decode()
            try:
                # pysaml2's server is not made for several threads.
                with lock:
                    self.route(body)
            except Exception:
                self.reply(500, traceback.format_exc())

    return Handler


def main():
    base, folder, *logout = sys.argv[1:]
    peer = Peer(base, pathlib.Path(folder), logout)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler(peer))
    print(json.dumps({"port": server.server_address[1], **peer.hello}), flush=True)
    server.serve_forever()


main()
