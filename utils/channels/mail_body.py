"""The HTML of a mail: one table, which every mail program lays out alike, light and dark.

Programs that know no style sheet show the inline colours, which are the light ones. Every value is
escaped; pictures are parts of the mail (`cid:`), nothing is loaded from anywhere.
"""

from collections.abc import Sequence
from html import escape
from string import Template
from typing import Final

from utils.channels.formatting import PRODUCT, Shown
from utils.texts import Language, say

_FONTS: Final = (
    "-apple-system,'Segoe UI',Roboto,'Helvetica Neue','Apple SD Gothic Neo','Malgun Gothic',"
    "'Noto Sans KR',Arial,sans-serif"
)
_PAGE: Final = Template("""\
<!DOCTYPE html>
<html lang="$language">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<title>$subject</title>
<style>
body { margin: 0; padding: 0; word-break: keep-all; overflow-wrap: anywhere; }
img { max-width: 100%; height: auto; }
@media (prefers-color-scheme: dark) {
  .page { background: #0e1116 !important; }
  .card { background: #171c23 !important; border-color: #29313c !important; }
  .title, .text { color: #e4e8ee !important; }
  .quiet { color: #a3adba !important; }
  .line { border-color: #29313c !important; }
}
@media (max-width: 480px) {
  .edge { padding: 0 !important; }
  .card { border-radius: 0 !important; border-left: 0 !important; border-right: 0 !important; }
  .cell { padding-left: 20px !important; padding-right: 20px !important; }
}
</style>
</head>
<body class="page" style="margin:0;padding:0;background:#f2f4f7">
<table class="page" role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0"
 style="background:#f2f4f7;font-family:$fonts">
<tr><td class="edge" align="center" style="padding:24px 12px">
<table class="card" role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0"
 style="max-width:600px;background:#ffffff;border:1px solid #d9dee5;border-radius:8px;\
border-collapse:separate">
<tr><td height="4" style="height:4px;line-height:4px;font-size:0;background:$colour;\
border-radius:8px 8px 0 0">&nbsp;</td></tr>
<tr><td class="cell" style="padding:20px 28px 0">
<span style="display:inline-block;padding:2px 10px;border-radius:10px;background:$colour;\
color:#ffffff;font-size:13px;line-height:20px;font-weight:600">$severity</span>
<span class="quiet" style="padding-left:8px;color:#5b6675;font-size:13px;line-height:20px">\
$mark</span>
</td></tr>
<tr><td class="cell" style="padding:12px 28px 0">
<h1 class="title" style="margin:0;color:#1a212b;font-size:20px;line-height:28px;font-weight:600">\
$title</h1>
</td></tr>
<tr><td class="cell text" style="padding:10px 28px 0;color:#1a212b;font-size:15px;\
line-height:24px">$text</td></tr>
$images<tr><td class="cell" style="padding:20px 28px">
<div class="quiet line" style="border-top:1px solid #d9dee5;padding-top:12px;color:#5b6675;\
font-size:13px;line-height:20px">$at<br>$product · $automatic</div>
</td></tr>
</table>
</td></tr>
</table>
</body>
</html>
""")
# where letters have one width; 49 of them fit on a phone
_COLUMNS: Final = "font-family:Consolas,Menlo,D2Coding,monospace;font-size:12px;white-space:nowrap"
_IMAGE: Final = Template("""\
<tr><td class="cell" style="padding:16px 28px 0">
<img src="cid:$cid" alt="$name" width="544" style="display:block;width:100%;max-width:544px;\
height:auto;border-radius:4px">
</td></tr>
""")


def html_of(seen: Shown, language: Language, images: Sequence[tuple[str, str]]) -> str:
    """Return the page of one message.

    Args:
        images: content id, without brackets, and name of each picture.
    """
    values = {
        "language": language.value, "subject": seen.subject, "severity": seen.severity,
        "mark": seen.mark, "title": seen.title, "at": seen.at, "colour": seen.colour,
        "product": PRODUCT, "automatic": say(language, "channels.automatic"),
    }  # fmt: skip
    lines = [_indented(escape(line)) for line in seen.text.split("\n")]
    rows = [_IMAGE.substitute(cid=escape(cid), name=escape(name)) for cid, name in images]
    return _PAGE.substitute(
        {name: escape(value) for name, value in values.items()},
        fonts=_FONTS, text="<br>\n".join(lines), images="".join(rows),
    )  # fmt: skip


def text_of(seen: Shown, language: Language) -> str:
    """Return the same for who reads no HTML."""
    footer = f"{seen.footer}\n{PRODUCT} · {say(language, 'channels.automatic')}"
    return f"{seen.title}\n\n{seen.text}\n\n-- \n{footer}\n"


def _indented(line: str) -> str:
    """Keep the spaces that a line begins with: HTML would drop them. Columns keep all of theirs."""
    text = line.lstrip(" ")
    if "  " in text:  # a row of a table
        return f'<span style="{_COLUMNS}">{line.replace(" ", "&nbsp;")}</span>'
    return "&nbsp;" * (len(line) - len(text)) + text
