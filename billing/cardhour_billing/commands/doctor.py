"""``cardhour doctor``: is this installation well?"""

from __future__ import annotations

import click

from cardhour_billing.checkup import examine
from cardhour_billing.table import format_option, print_rows


@click.command()
@format_option
def doctor(form: str) -> None:
    """What is configured, what answers, what is wrong, and how to mend it.

    Changes nothing. Exit code 1 where something is wrong; a note is not wrong.
    """
    findings = list(examine())
    rows = [{"check": each.check, "state": each.state, "what": each.what, "mend": each.mend} for each in findings]
    print_rows(rows, form)
    wrong = [each.check for each in findings if each.state == "wrong"]
    if wrong:
        raise click.ClickException(f"wrong: {', '.join(wrong)}")
