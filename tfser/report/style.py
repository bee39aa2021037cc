"""The page's style sheet: light and dark, phone and print, no font or picture from elsewhere."""

STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5b6675; --line: #dfe4ea; --page: #ffffff;
        --card: #f6f8fa; --accent: #2463c4; --good: #18794e; --bad: #c62a2f; --track: #e4e9ef; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ee; --soft: #9aa5b4; --line: #2c3440; --page: #12161c; --card: #1a2029;
          --accent: #6ea3f5; --good: #4cc38a; --bad: #ff7a80; --track: #2a323d; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 2rem 1.25rem 4rem; background: var(--page); color: var(--ink);
       font: 16px/1.5 system-ui, sans-serif; -webkit-print-color-adjust: exact; print-color-adjust: exact; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .25rem; }
h2 { font-size: 1.15rem; margin: 2.5rem 0 .75rem; padding-bottom: .3rem; border-bottom: 1px solid var(--line); }
p { margin: .25rem 0 .75rem; max-width: 46rem; }
.soft { color: var(--soft); } .good { color: var(--good); } .bad { color: var(--bad); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .75rem; margin: 1.5rem 0; }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .75rem .9rem; }
.tile b { display: block; font-size: 1.45rem; line-height: 1.2; font-variant-numeric: tabular-nums; }
.tile span { color: var(--soft); font-size: .85rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .35rem .6rem .35rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { font-weight: 600; color: var(--soft); } td.n, th.n { text-align: right; white-space: nowrap; }
code { font: .85em ui-monospace, monospace; overflow-wrap: anywhere; }
svg { display: block; width: 100%; height: .75rem; } .track { fill: var(--track); } .fill { fill: var(--accent); }
.over { fill: var(--bad); } .bar { min-width: 8rem; width: 45%; }
td.cell { text-align: right; padding: .35rem .6rem; }
.mark { border: 1px solid var(--line); border-radius: .3rem; padding: 0 .35rem; font-size: .78rem; color: var(--soft); }
@media print { body { max-width: none; padding: 0; font-size: 11pt; } h2 { break-after: avoid; }
               tr, .tile { break-inside: avoid; } }
"""
