#!/usr/bin/env python3
"""Drives the README's first command as somebody at a terminal would, on a machine that has only python3.

Starts the quickstart, signs in by the one-time link, opens the status page and the demo session, ends the engine
with Ctrl-C, starts it again and finds the same process in the session. Used by golden/bare, from the checkout.
"""

import http.cookiejar
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

SERVE = ["cargo", "run", "--release", "--locked", "--quiet", "--", "serve", "samples/quickstart"]
WHARF = "target/release/wharf"
LIMIT_S = 60


def say(text):
    print(f"quickstart: {text}", flush=True)


def wait_for(what, found, engine):
    limit = time.monotonic() + LIMIT_S
    while True:
        seen = found()
        if seen:
            return seen
        if engine.process.poll() is not None:
            sys.exit(f"quickstart: the engine ended with {engine.process.returncode}:\n{engine.said()}")
        if time.monotonic() > limit:
            sys.exit(f"quickstart: {what}: not within {LIMIT_S} s; the engine said:\n{engine.said()}")
        time.sleep(0.02)


class Engine:
    def __init__(self):
        self.out = tempfile.TemporaryFile("w+")
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            SERVE, stdin=subprocess.DEVNULL, stdout=self.out, stderr=subprocess.STDOUT
        )

    def said(self):
        self.out.seek(0)
        return self.out.read()

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=LIMIT_S)
        return self.said()


def ask(*args):
    done = subprocess.run([WHARF, *args], capture_output=True, text=True, timeout=LIMIT_S)
    return done.stdout


def demo():
    try:
        status = json.loads(ask("status", "--json"))
    except ValueError:
        return None
    running = (s for s in status["sessions"] if s["id"] == "demo" and s["state"] == "running")
    return next(running, None)


def main():
    engine = Engine()
    try:
        before = wait_for("the demo session runs", demo, engine)
        say(f"the demo session runs after {time.monotonic() - engine.began:.2f} s, pid {before['pid']}")
        token = re.search(r"/in/[0-9a-f]{32}", ask("open"))
        address = re.search(r"http://127\.0\.0\.1:\d+", engine.said() + ask("open"))
        if token is None or address is None:
            sys.exit(f"quickstart: no one-time link; the engine said:\n{engine.said()}")
        jar = http.cookiejar.CookieJar()
        browser = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(jar)
        )
        for path, holds in [(token[0], "demo"), ("/", "demo"), ("/s/demo/", "<html")]:
            with browser.open(address[0] + path, timeout=LIMIT_S) as answer:
                page = answer.read().decode()
            if holds not in page:
                sys.exit(f"quickstart: {path} without {holds!r}:\n{page}")
        say("the one-time link signs in; the status page and the demo session answer")

        farewell = engine.interrupt().strip().splitlines()[-1]
        say(f"Ctrl-C: {farewell}")
        if "keep" not in farewell or not os.path.exists(f"/proc/{before['pid']}"):
            sys.exit("quickstart: the session did not outlive the engine, or nobody said so")
        engine = Engine()
        after = wait_for("the demo session is adopted", demo, engine)
        say(f"adopted after {time.monotonic() - engine.began:.2f} s, pid {after['pid']}")
        if after["pid"] != before["pid"]:
            sys.exit("quickstart: another process than before")
    finally:
        if engine.process.poll() is None:
            ask("session", "stop", "--all")
            limit = time.monotonic() + LIMIT_S
            while demo() and time.monotonic() < limit:
                time.sleep(0.05)
            engine.interrupt()


if __name__ == "__main__":
    main()
