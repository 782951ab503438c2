"""A picture of the page of `say --serve`, by Chromium without a screen (Debian: chromium, chromium-driver).

    python benchmarks/page_picture.py samples/page.png
"""

from __future__ import annotations

import argparse
import io
import pathlib
import shutil
import subprocess
import sys
import time

from pictures import write_png
from PIL import Image

ROOT = pathlib.Path(__file__).parent.parent
TEXT = "Four hours of steady work faced us before the evening tea."
LOOK_AT = 1.6  # seconds


def photograph(address: str, path: pathlib.Path) -> None:
    from selenium import webdriver
    from selenium.webdriver.support.ui import WebDriverWait

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for argument in ("headless=new", "no-sandbox", "disable-dev-shm-usage", "window-size=1000,900", "mute-audio"):
        options.add_argument(f"--{argument}")
    browser = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        browser.get(address)
        browser.execute_script(f"text.value = {TEXT!r}; document.querySelector('details').open = true")
        time.sleep(1)
        browser.find_element("id", "speak").click()
        WebDriverWait(browser, 60).until(lambda page: "s of speech" in page.find_element("id", "status").text)
        browser.execute_script(f"audio.pause(); audio.currentTime = {LOOK_AT}")
        time.sleep(0.5)
        height = browser.execute_script("return document.documentElement.scrollHeight")
        browser.set_window_size(1000, height + 150)
        write_png(Image.open(io.BytesIO(browser.find_element("tag name", "main").screenshot_as_png)), path)
    finally:
        browser.quit()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("path", type=pathlib.Path)
    options = parser.parse_args()
    if None in (shutil.which("chromium"), shutil.which("chromedriver")):
        parser.exit(1, "A browser is needed: apt-get install chromium chromium-driver\n")
    command = [sys.executable, "-m", "say", "--serve", "--port", "8123"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            process.stdout.readline()
            time.sleep(2)
            photograph("http://127.0.0.1:8123", options.path)
        finally:
            process.terminate()


if __name__ == "__main__":
    main()
