"""The report as a PDF: Markdown with GitHub's tables, translated to Typst, which sets the pages.

    python benchmarks/report_pdf.py report.md report.pdf

Needs `pip install -r requirements-report.txt`; `make report` installs it. A paragraph that is nothing but a picture
becomes a figure whose caption is the picture's text. Pictures are files beside the report, links are kept as they are,
`[...](#some-heading)` leads to a heading. The PDF is an accessible one (PDF/UA-1): that is a check too, for Typst then
refuses characters that its fonts lack, pictures without text and headings that skip a level, instead of printing them.
Comments (`<!-- ... -->`) are not printed, as on GitHub. Markdown that has no translation here (other HTML, say) is an
error that names the line: nothing else is left out.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import re
import urllib.parse
from collections import Counter

STYLE = """
#set page(paper: "a4", margin: (x: 2.2cm, top: 2.2cm, bottom: 2.4cm), numbering: "1 / 1")
#set text(font: ("Libertinus Serif", "DejaVu Sans Mono"), size: 10.5pt, lang: "en")
#set par(leading: 0.65em, spacing: 1.05em)
#set figure(placement: auto)
#set table(stroke: none, inset: (x: 4pt, y: 3.5pt), fill: (_, y) => if y > 0 and calc.even(y) { luma(245) })
#show heading: set block(above: 1.7em, below: 0.9em, sticky: true)
#show heading.where(level: 1): set text(size: 1.35em)
#show link: set text(fill: rgb("#1a4f9c"))
#show table: set text(size: 8.5pt, hyphenate: false)
#show table: set par(leading: 0.5em)
#show table.cell.where(y: 0): strong
#show raw.where(block: true): block.with(fill: luma(245), inset: 8pt, width: 100%)
#show figure: set block(above: 1.5em, below: 1.5em)
#show figure.caption: set text(size: 0.9em)
#let picture(path, description) = layout(page => {
  let natural = measure(image(path))
  let scale = calc.min(1, page.width / natural.width, 20cm / natural.height)
  image(path, alt: description, width: scale * natural.width)
})
#let together(body) = layout(page => {
  let height = measure(body, width: page.width).height
  block(breakable: height > 12cm, width: 100%, body)
})
"""
COMMENTS = re.compile(r"\s*(<!--((?!-->).)*-->\s*)+", re.DOTALL)

# -------- Markdown -> Typst ------------------------------------------------------------------------------------------


def parse(text: str):
    """The tree of a Markdown text."""
    from markdown_it import MarkdownIt
    from markdown_it.tree import SyntaxTreeNode

    return SyntaxTreeNode(MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text))


def quote(text: str) -> str:
    """A Typst string: in it nothing is markup."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def plain_text(node) -> str:
    return "".join(part.content for part in node.walk() if part.type in ("text", "code_inline"))


def anchor(title: str) -> str:
    """What GitHub lets a link to this heading be called."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def translate(node) -> str:
    """A node of the tree as Typst markup: literal text, calls that end with `;`, and blank lines between blocks."""
    if node.type == "table":
        return translate_table(node)
    inside = "".join(map(translate, node.children))
    match node.type:
        case "root" | "inline":
            return inside
        case "text":
            return f"#{quote(node.content)};"
        case "softbreak":
            return " "
        case "hardbreak":
            return "#linebreak();"
        case "strong" | "em" | "s":
            return f"#{ {'strong': 'strong', 'em': 'emph', 's': 'strike'}[node.type] }[{inside}];"
        case "code_inline":
            return f"#raw({quote(node.content)});"
        case "link":
            href = node.attrs["href"]
            target = f"label({quote(href[1:])})" if href.startswith("#") else quote(href)
            return f"#link({target})[{inside}];"
        case "image":
            return f"#picture({quote(picture_path(node))}, {quote(plain_text(node))});"
        case "heading":
            return f"#heading(level: {node.tag[1:]})[{inside}] #label({quote(node.meta['anchor'])})\n\n"
        case "paragraph":
            return (translate_figure(node) or inside) + "\n\n"
        case "bullet_list" | "ordered_list":
            options = f"start: {node.attrs.get('start', 1)}" if node.type == "ordered_list" else ""
            return f"#{'enum' if options else 'list'}({options}){inside};\n\n"
        case "list_item":
            return f"[{inside.strip()}]"
        case "blockquote":
            return f"#quote(block: true)[{inside}];\n\n"
        case "fence" | "code_block":
            return f"#raw(block: true, {quote(node.content.rstrip())});\n\n"
        case "hr":
            return "#line(length: 100%, stroke: 0.5pt);\n\n"
        case "html_block" | "html_inline" if COMMENTS.fullmatch(node.content):
            return ""
    raise ValueError(f"line {line_number(node)}: {node.type} ({node.content.strip()[:40]}) cannot be printed")


def translate_figure(paragraph) -> str | None:
    """A paragraph of one picture as a figure; None for any other."""
    parts = paragraph.children[0].children
    if [part.type for part in parts] != ["image"]:
        return None
    caption = "".join(map(translate, parts[0].children))
    return f"#figure({translate(parts[0])[1:-1]}, caption: [{caption}]);"


def translate_table(table) -> str:
    """Rules above and below the head and at the end; a long table is broken between rows, and its head repeated."""
    rows = [row.children for part in table.children for row in part.children]
    aligns = [str(cell.attrs.get("style", "text-align:left")).removeprefix("text-align:") for cell in rows[0]]
    cells = [["[" + "".join(map(translate, cell.children)) + "]" for cell in row] for row in rows]
    rule = "table.hline(stroke: 0.6pt)"
    head = f"table.header({rule}, {', '.join(cells[0])}, {rule})"
    body = [f"table.cell(breakable: false){cell}" for row in cells[1:] for cell in row]
    columns = f"columns: {len(aligns)}, align: ({', '.join(aligns)},)"
    return f"#together(align(center, table({columns}, {', '.join([head, *body, rule])})));\n\n"


# -------- Checks -----------------------------------------------------------------------------------------------------


def line_number(node) -> int:
    while node.map is None:
        node = node.parent
    return node.map[0] + 1


def picture_path(image) -> str:
    """As Typst wants it: from the folder of the report."""
    return "/" + urllib.parse.unquote(image.attrs["src"])


def check_pictures(tree, folder: pathlib.Path) -> None:
    for image in (node for node in tree.walk() if node.type == "image"):
        path = folder / picture_path(image)[1:]
        if not path.is_file():
            raise FileNotFoundError(f"line {line_number(image)}: there is no picture {path}")


def name_headings(tree) -> set[str]:
    """Give each heading the anchor that GitHub gives it, check the links to them, and return all of them."""
    seen: Counter[str] = Counter()
    for heading in (node for node in tree.walk() if node.type == "heading"):
        name = anchor(plain_text(heading))
        heading.meta["anchor"] = name + (f"-{seen[name]}" if seen[name] else "")
        seen[name] += 1
    anchors = {node.meta["anchor"] for node in tree.walk() if node.type == "heading"}
    for link in (node for node in tree.walk() if node.type == "link"):
        href = link.attrs["href"]
        if href.startswith("#") and href[1:] not in anchors:
            raise ValueError(f"line {line_number(link)}: no heading has the name {href}")
    return anchors


# -------- Typst -> PDF -----------------------------------------------------------------------------------------------


def convert(report: pathlib.Path, pdf: pathlib.Path) -> None:
    """Write `report` as `pdf`, whole or not at all. FileNotFoundError, ValueError: what is missing or cannot be set."""
    if not report.is_file():
        raise FileNotFoundError(f"there is no {report.resolve()}")
    try:
        import typst

        tree = parse(report.read_text(encoding="utf-8"))
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"{error}: run `make report`, or pip install -r requirements-report.txt") from error
    check_pictures(tree, report.parent)
    name_headings(tree)
    title = next((plain_text(node) for node in tree.walk() if node.type == "heading"), report.stem)
    source = f"#set document(title: {quote(title)}, date: none)\n{STYLE}\n{translate(tree)}"
    options = {"root": str(report.resolve().parent), "ignore_system_fonts": True, "pdf_standards": "ua-1"}
    try:
        content = typst.compile(source.encode(), **options)
    except typst.TypstError as error:
        raise ValueError(str(error)) from error
    temporary = pdf.with_name(pdf.name + ".tmp")
    temporary.write_bytes(content)
    os.replace(temporary, pdf)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report", type=pathlib.Path)
    parser.add_argument("pdf", type=pathlib.Path)
    options = parser.parse_args()
    try:
        convert(options.report, options.pdf)
    except (FileNotFoundError, ModuleNotFoundError, ValueError) as error:
        parser.exit(1, f"{options.report}: {error}\n")
    print(f"{options.pdf}: {options.pdf.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
