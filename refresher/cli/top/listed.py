"""The widget that shows a list of `refresher top`."""

from __future__ import annotations

from rich.text import Text
from textual.events import Resize
from textual.widgets import DataTable

from refresher.cli.top import rows
from refresher.cli.top.rows import Listing


class Rows(DataTable[Text]):
    """A list that keeps its cursor on the same row, and shows the columns that there is room for."""

    def __init__(self) -> None:
        super().__init__(cursor_type="row", zebra_stripes=False, cell_padding=1)
        self._shown: tuple[Listing, int] | None = None

    def fill(self, listing: Listing) -> None:
        """Shows a list in place of the one before."""
        width = self.size.width - 2
        if (listing, width) == self._shown or width <= 0:
            return
        before, top = self.key, self.scroll_y
        self._shown = (listing, width)
        self.clear(columns=True)
        widths = rows.fit(listing, width)
        for n, own in widths.items():
            self.add_column(listing.columns[n], width=own)
        for key, row in zip(listing.keys, listing.rows, strict=True):
            self.add_row(*(_cut(row[n], own) for n, own in widths.items()), key=key)
        if before in listing.keys:
            self.move_cursor(row=listing.keys.index(before), animate=False, scroll=False)
            self.scroll_y = top

    def on_resize(self, _: Resize) -> None:
        """Lays the columns out anew."""
        if self._shown is not None:
            self.fill(self._shown[0])

    @property
    def key(self) -> str:
        """What the row under the cursor is known by; empty without one."""
        if not self.is_valid_row_index(self.cursor_row):
            return ""
        return self.coordinate_to_cell_key(self.cursor_coordinate).row_key.value or ""


def _cut(cell: Text, width: int) -> Text:
    short = cell.copy()
    short.truncate(width, overflow="ellipsis")
    return short
