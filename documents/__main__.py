"""Makes anew what of the documents is made: `make documents`."""

from documents.pages import PAGES, made

if __name__ == "__main__":
    for page in PAGES:
        text = page.read_text()
        if (new := made(text)) != text:
            page.write_text(new)
            print(f"made anew: {page.name}")
