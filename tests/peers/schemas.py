"""Holds documents against the schemas of OASIS and W3C, as Debian ships them, by two validators that know nothing of
each other: libxml2 (by way of lxml) and the Python package xmlschema. Nothing is fetched.

It reads one JSON string a line, the document, and answers one JSON list a line: what each validator finds wrong; an empty
list is a valid document.
"""

import io
import json
import pathlib
import sys

import lxml.etree
import xmlschema

# Debian: opensaml-schemas and xmltooling-schemas.
FOLDERS = [pathlib.Path("/usr/share/xml/opensaml"), pathlib.Path("/usr/share/xml/xmltooling")]

# What a document of ours may hold. What has no schema here (the Swedish md-org-ext) stands where any element may, and is
# passed over, as the schemas say ("lax").
SCHEMAS = {
    "urn:oasis:names:tc:SAML:2.0:protocol": "saml-schema-protocol-2.0.xsd",
    "urn:oasis:names:tc:SAML:2.0:metadata": "saml-schema-metadata-2.0.xsd",
    "urn:oasis:names:tc:SAML:metadata:attribute": "sstc-metadata-attr.xsd",
    "urn:oasis:names:tc:SAML:metadata:ui": "sstc-saml-metadata-ui-v1.0.xsd",
    "http://www.w3.org/2009/xmlenc11#": "xenc11-schema.xsd",
}

# What these import by addresses on the web.
IMPORTED = {
    "urn:oasis:names:tc:SAML:2.0:assertion": "saml-schema-assertion-2.0.xsd",
    "http://www.w3.org/2000/09/xmldsig#": "xmldsig-core-schema.xsd",
    "http://www.w3.org/2001/04/xmlenc#": "xenc-schema.xsd",
    "http://www.w3.org/XML/1998/namespace": "xml.xsd",
}


def local(url):
    """A schema by the last part of its address: the addresses in the schemas lead to the web."""
    name = url.rsplit("/", 1)[-1]
    found = [folder / name for folder in FOLDERS if (folder / name).is_file()]
    if not found:
        raise SystemExit(f"no schema {name} under {' or '.join(map(str, FOLDERS))}")
    return found[0].as_uri()


def by_libxml2(all_schemas):
    class Local(lxml.etree.Resolver):
        def resolve(self, url, public_id, context):
            return self.resolve_filename(local(url).removeprefix("file://"), context)

    parser = lxml.etree.XMLParser(no_network=True, load_dtd=False, resolve_entities=False)
    parser.resolvers.add(Local())
    schema = lxml.etree.XMLSchema(lxml.etree.parse(io.BytesIO(all_schemas.encode()), parser))
    plain = lxml.etree.XMLParser(no_network=True, load_dtd=False, resolve_entities=False)

    def errors(document):
        schema.validate(lxml.etree.fromstring(document.encode(), plain))
        return [f"libxml2: {error.message}" for error in schema.error_log]

    return errors


def by_xmlschema(all_schemas):
    locations = {namespace: local(name) for namespace, name in {**SCHEMAS, **IMPORTED}.items()}
    schema = xmlschema.XMLSchema10(all_schemas, allow="local", locations=locations)
    return lambda document: [f"xmlschema: {error.reason}" for error in schema.iter_errors(document)]


def main():
    imports = "".join(
        f'<xs:import namespace="{namespace}" schemaLocation="{local(name)}"/>' for namespace, name in SCHEMAS.items()
    )
    all_schemas = f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">{imports}</xs:schema>'
    validators = [by_libxml2(all_schemas), by_xmlschema(all_schemas)]
    for line in sys.stdin:
        document = json.loads(line)
        print(json.dumps([error for validate in validators for error in validate(document)]), flush=True)


main()
