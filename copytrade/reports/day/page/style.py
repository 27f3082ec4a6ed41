"""How the page looks, in light, in dark and on paper, and the policy under which a browser shows it."""

import base64
import hashlib

STYLE = """
:root { color-scheme: light dark; --text: #1b1f24; --soft: #57606a; --line: #d0d7de; --page: #ffffff; --head: #f3f5f7; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e6e9ed; --soft: #a5adb8; --line: #3a424c; --page: #14171b; --head: #20252b; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 72rem; padding: 1rem; color: var(--text); background: var(--page);
       font: 15px/1.45 system-ui, "Segoe UI", Roboto, sans-serif; }
h1 { font-size: 1.5rem; margin: 0.5rem 0; }
h2 { font-size: 1.2rem; margin: 2rem 0 0.5rem; border-bottom: 1px solid var(--line); padding-bottom: 0.2rem; }
h3, caption { font-size: 1rem; font-weight: 600; text-align: left; margin: 1rem 0 0.3rem; padding: 0.3rem 0; }
p { margin: 0.4rem 0; max-width: 50rem; }
.soft, figcaption { color: var(--soft); font-size: 0.9rem; }
.wide { overflow-x: auto; margin: 0.8rem 0; }
table { border-collapse: collapse; font-size: 0.9rem; }
th, td { padding: 0.25rem 0.6rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top;
         font-weight: normal; max-width: 26rem; overflow-wrap: break-word; }
thead th { background: var(--head); font-weight: 600; vertical-align: bottom; overflow-wrap: normal; }
.n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
thead .n { white-space: normal; }
nav ul { list-style: none; display: flex; flex-wrap: wrap; gap: 0.3rem 1.2rem; margin: 0.8rem 0; padding: 0; }
a { color: inherit; }
figure { margin: 1rem 0; }
svg { width: 100%; max-width: 54rem; height: auto; color: var(--text); }
svg text { font-family: system-ui, "Segoe UI", Roboto, sans-serif; }
@media print {
  :root { color-scheme: light; --text: #000; --soft: #333; --line: #999; --page: #fff; --head: #eee; }
  body { max-width: none; padding: 0; font-size: 10pt; }
  .wide { overflow: visible; }
  table { font-size: 8pt; }
  thead { display: table-header-group; }
  tr, figure { break-inside: avoid; }
  h2, h3, caption { break-after: avoid; }
}
"""

#: The Content-Security-Policy of the page, also for who serves it: it loads nothing, runs nothing, and has this style.
POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'sha256-"
    f"{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'"
)
