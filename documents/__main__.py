"""Makes anew what of the documents is made, and the screens that are kept for people to read: `make documents`."""

from documents.pages import PAGES, made
from documents.picture import FILE, picture
from tests.screen_examples import draw_anew

if __name__ == "__main__":
    for page, new in (*((page, made(page.read_text())) for page in PAGES), (FILE, picture())):
        if not page.exists() or page.read_text() != new:
            page.write_text(new)
            print(f"made anew: {page.name}")
    draw_anew()
