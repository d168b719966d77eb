"""A person at the portal in a real browser, who reads and presses what the page says, in the page's language.

Owns what is held against every page on the way: it is in one language, breaks no policy, writes no error to the
console, and the server fails at nothing. Walks are written in English; ``words`` has what stands there instead.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, BrowserContext, Locator, Page, Response, expect

from tests.portal.browser import PATIENCE_MS

CHINESE = "zh-hans"
SENTENCES = {
    # Four words in a row, and four signs: names of firms and of customers are shorter.
    "en": re.compile(r"[\u4e00-\u9fff]{4,}"),
    CHINESE: re.compile(r"\b[A-Za-z]{2,}(?:,? [A-Za-z’']{2,}){3,}"),
}
"""What is a sentence of the other language, in the text of a page."""


def unseen(_: Page) -> None:
    """Nobody looks over the walker's shoulder."""


class Walker:
    """Reads pages in ``language``. ``words`` has the text for each English one; empty for English itself.

    ``look`` is shown each page that is read.
    """

    def __init__(
        self,
        browser: Browser,
        address: str,
        language: str,
        words: Mapping[str, str],
        look: Callable[[Page], None] = unseen,
    ) -> None:
        self._words, self._language, self._show = words, language, look
        self.complaints: list[str] = []
        self.context: BrowserContext = browser.new_context(
            base_url=address, locale="zh-CN" if words else "en-GB", viewport={"width": 1440, "height": 900}
        )
        self.context.set_default_timeout(PATIENCE_MS)
        self.context.on("console", lambda said: self._note(said.text) if said.type in ("error", "warning") else None)
        self.context.on("weberror", lambda error: self._note(str(error.error)))
        self.context.on("response", self._look)
        self.page: Page = self.context.new_page()

    def word(self, english: str, **figures: object) -> str:
        """What stands on the page for an English text."""
        text = self._words[english] if self._words else english
        return text.format(**figures) if figures else text

    def opens(self, path: str) -> None:
        self.page.goto(path)

    def sees(self, heading: str, **figures: object) -> None:
        """The page has this heading, and is all in its language."""
        expect(self.page.get_by_role("heading", level=1)).to_have_text(self.word(heading, **figures))
        self.reads()

    def reads(self) -> None:
        """The page is in its language alone."""
        expect(self.page.locator("html")).to_have_attribute("lang", self._language)
        text = self.page.locator("body").inner_text()
        for other in self.page.locator("pre, body [lang]").all_inner_texts():  # letters, and what says that it is
            text = text.replace(other, "")
        self.complaints += [f"{self.page.url}: {found}" for found in SENTENCES[self._language].findall(text)]
        self._show(self.page)

    def tells(self, *texts: str, within: str = "", **figures: object) -> None:
        """The page, or the part of it with the heading ``within``, says all this."""
        for text in texts:
            expect(self.part(within)).to_contain_text(self.word(text, **figures))

    def is_told(self, text: str) -> None:
        """What was done is said, once."""
        expect(self.page.get_by_role("status").filter(has_text=self.word(text))).to_have_count(1)

    def shows(self, *figures: str, within: str = "") -> None:
        """The page, or a part of it, has these figures and names, the same in every language."""
        for figure in figures:
            expect(self.part(within)).to_contain_text(figure)

    def part(self, heading: str) -> Locator:
        """The part of the page with this heading; the whole of it where none is named."""
        whole = self.page.locator("body")
        if not heading:
            return whole
        named = self.page.get_by_role("heading", name=self.word(heading), exact=True)
        return whole.locator("section", has=named).last

    def link(self, text: str, *, within: str = "") -> Locator:
        return self.part(within).get_by_role("link", name=self.word(text), exact=True)

    def row(self, *texts: str, within: str = "") -> Locator:
        """The row of a table that has all this."""
        found = self.part(within).get_by_role("row")
        for text in texts:
            found = found.filter(has_text=text)
        return found

    def goes(self, section: str, heading: str = "") -> None:
        """To a section, by the navigation; its page may have another heading."""
        self.page.get_by_role("navigation").get_by_role("link", name=self.word(section), exact=True).click()
        self.sees(heading or section)

    def link_in_chart(self, chart: str, beginning: str) -> Locator:
        """The part of a chart whose name begins so."""
        drawn = self.page.get_by_role("group", name=self.word(chart), exact=True)
        return drawn.get_by_role("link", name=re.compile(f"^{re.escape(beginning)}"))

    def follow(self, text: str, *, within: str = "", about: str = "", **figures: object) -> None:
        """Press a link. ``about`` is what it says to those who do not see what it stands beside."""
        part = self.part(within) if within else self.page.locator("body")
        part.get_by_role("link", name=self._name(text, about, figures)).click()

    def picks(self, name: str) -> None:
        """Press a link that is a name or a figure, the same in every language."""
        self.page.get_by_role("main").get_by_role("link", name=name, exact=True).click()

    def press(self, text: str, *, within: str = "", about: str = "", **figures: object) -> None:
        """Press a button."""
        self.part(within).get_by_role("button", name=self._name(text, about, figures)).click()

    def fill(self, label: str, value: str, *, within: str = "") -> None:
        """Type into a field, the first whose label begins so: it may have a hint after its name."""
        self.part(within).get_by_label(re.compile(f"^{re.escape(self.word(label))}")).first.fill(value)

    def choose(self, label: str, value: str, *, within: str = "") -> None:
        """Choose what a list calls ``value``."""
        field = self.part(within).get_by_label(re.compile(f"^{re.escape(self.word(label))}"))
        field.select_option(label=value)

    def tick(self, name: str) -> None:
        """The box before a name, which may have a remark after it."""
        self.page.get_by_label(re.compile(f"^{re.escape(name)}")).check()

    def loads(self, name: str, folder: Path, *, within: str = "", by: Literal["link", "button"] = "link") -> Path:
        """Download what a link or a button leads to; it is called ``name`` on the page."""
        with self.page.expect_download() as coming:
            self.part(within).get_by_role(by, name=name, exact=True).click()
        file = folder / coming.value.suggested_filename
        coming.value.save_as(file)
        return file

    def status(self, path: str) -> int:
        """How the portal answers this login who asks for ``path``."""
        return self.page.request.get(path).status

    def leaves(self) -> None:
        """Done; whatever was wrong on the way fails the walk."""
        self.context.close()
        assert not self.complaints, "\n".join(self.complaints)

    def _name(self, text: str, about: str, figures: Mapping[str, object]) -> re.Pattern[str]:
        return re.compile(rf"^{re.escape(self.word(text, **figures))}\s*{re.escape(about)}$")

    def _note(self, said: str) -> None:
        self.complaints.append(f"{self.page.url}: {said}")

    def _look(self, response: Response) -> None:
        if response.status >= 500:
            self._note(f"{response.status} from {response.url}")
