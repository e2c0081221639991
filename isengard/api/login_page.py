"""The log-in page: one file without a script, which asks nothing of the screen behind it."""

from __future__ import annotations

from html import escape

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
}
_STYLE = """
:root{color-scheme:light dark;--ground:#f7f6f3;--card:#fff;--line:#e3e1da;--edge:#c9c6bd;--text:#22231f;
--soft:#5e5c55;--key:#147a65;--key-over:#106253;--ring:#147a65;--bad:#a3271b;--bad-ground:#fdecea;
font:16px/1.5 ui-sans-serif,system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
@media(prefers-color-scheme:dark){:root{--ground:#111413;--card:#191d1c;--line:#2b312f;--edge:#3a413e;
--text:#e9ebe6;--soft:#a3aaa5;
--key-over:#1b8f77;--ring:#49b398;--bad:#ffb4a8;--bad-ground:#3a1512}}
*{box-sizing:border-box}body{margin:0;min-height:100dvh;display:grid;place-items:center;padding:24px 16px;
background:var(--ground);color:var(--text)}
main{width:100%;max-width:380px;background:var(--card);border:1px solid var(--line);border-radius:16px;
padding:32px 28px;box-shadow:0 1px 2px #0001,0 12px 32px #0000000f}
header{display:flex;gap:14px;align-items:center;margin-bottom:24px}
svg{flex:none;width:44px;height:44px}svg rect{fill:#147a65}svg path{fill:#fff}
h1{margin:0;font-size:22px;line-height:1.25;letter-spacing:-.01em}header p{margin:0;color:var(--soft);font-size:14px}
label{display:block;font-size:14px;font-weight:550;margin-bottom:6px}
input{width:100%;height:46px;padding:0 14px;font:inherit;color:inherit;background:var(--ground);
border:1px solid var(--edge);border-radius:10px}
button{width:100%;height:46px;margin-top:14px;font:inherit;font-weight:600;color:#fff;background:var(--key);
border:0;border-radius:10px;cursor:pointer}button:hover{background:var(--key-over)}
:focus-visible{outline:2px solid var(--ring);outline-offset:2px}
[role=alert]{margin:0 0 16px;padding:10px 14px;border-radius:10px;background:var(--bad-ground);color:var(--bad);
font-size:14px}
.note{margin:20px 0 0;color:var(--soft);font-size:13px}code{font:12px ui-monospace,Menlo,Consolas,monospace}
"""
_LOGO = """<svg viewBox="0 0 40 40" aria-hidden="true"><rect width="40" height="40" rx="11"/>
<path d="M20 7l4 6-1.500 3v13l4 3v2h-13v-2l4-3V16L16 13z"/></svg>"""
# The hidden name is for password stores, which file a password under one.
_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Log in · Isengard</title>
<meta name="viewport" content="width=device-width,initial-scale=1"><link rel="icon" href="data:,">
<style>{style}</style></head><body><main>
<header>{logo}<div><h1>Isengard</h1><p>Your pictures are behind this door.</p></div></header>
{alert}<form method="post" action="/login">
<input type="hidden" name="next" value="{wanted}">
<input type="text" name="user" value="owner" autocomplete="username" hidden>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required autofocus maxlength="1000"
{described}>
<button type="submit">Log in</button></form>
<p class="note">It is your <code>ISENGARD_PASSWORD</code>, or the one that Isengard printed in its log when it
started for the first time.</p>
</main></body></html>"""


def login_page(wanted: str, said: str = "") -> str:
    """Return the page that leads to ``wanted``, with what went wrong the last time."""
    return _PAGE.format(
        style=_STYLE,
        logo=_LOGO,
        wanted=escape(wanted, quote=True),
        alert=f'<p role="alert" id="said">{escape(said)}</p>' if said else "",
        described='aria-describedby="said" aria-invalid="true"' if said else "",
    )
