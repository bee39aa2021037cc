"""The page's style sheet: light and dark, phone and print, no font or picture from elsewhere."""

# Print keeps the light colours whatever the screen prefers; shades are part of the message, so they print.
STYLE = """
:root { --ink: #17202b; --soft: #5a6675; --line: #dde3ea; --page: #fff; --card: #f5f7fa; --track: #e3e8ee;
        --accent: #1f5fbf; --faint: #93b3e0; --good: #12714a; --bad: #b8262c; --warn: #8a5a00; }
@media screen { :root { color-scheme: light dark; } }
@media screen and (prefers-color-scheme: dark) {
  :root { --ink: #e4e8ee; --soft: #98a4b3; --line: #2a323e; --page: #11151b; --card: #191f28; --track: #29313c;
          --accent: #6aa2f7; --faint: #35547f; --good: #46c28c; --bad: #ff7b80; --warn: #e0a83a; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 66rem; padding: 2.5rem 1.5rem 4rem; background: var(--page); color: var(--ink);
       font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; overflow-wrap: break-word;
       -webkit-print-color-adjust: exact; print-color-adjust: exact; }
h1 { font-size: 1.9rem; line-height: 1.15; letter-spacing: -.015em; margin: .1rem 0 .3rem; }
h2 { font-size: 1.2rem; margin: 0 0 .9rem; break-after: avoid; }
h3 { font-size: 1rem; margin: 1.5rem 0 .6rem; break-after: avoid; }
nav { margin-top: 1.25rem; font-size: .9rem; } nav a { display: inline-block; margin-right: 1.1rem; padding: .2rem 0; }
a { color: var(--accent); } a:focus-visible { outline: 2px solid; outline-offset: 2px; }
section { border-top: 1px solid var(--line); margin-top: 2.25rem; padding-top: 1.5rem; }
p { margin: 0 0 .9rem; max-width: 44rem; } header p { margin: 0; max-width: none; }
ul, dl { margin: 0; padding: 0; list-style: none; } dd { margin: 0; }
.soft, small { color: var(--soft); } .good { color: var(--good); } .bad { color: var(--bad); }
.defs { position: absolute; }
.verdict { display: flex; flex-wrap: wrap; gap: .1rem .75rem; margin: 1.1rem 0; padding: .6rem .9rem;
           border: 1px solid var(--line); border-left: .3rem solid; border-radius: .35rem; }
.verdict span, .verdict li { color: var(--ink); } .verdict li { overflow-wrap: anywhere; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .75rem; }
.tiles li { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .8rem 1rem; }
.tiles b { display: block; font-size: 1.4rem; line-height: 1.3; letter-spacing: -.01em; white-space: nowrap; }
.tiles i { font-size: 1rem; font-style: normal; font-weight: 400; color: var(--soft); }
.tiles span { display: block; font-size: .92rem; } .tiles small { display: block; line-height: 1.35; }
.tiles b, table, dd, .meters { font-variant-numeric: tabular-nums; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: 1rem 2.5rem;
           margin-bottom: 1.25rem; }
.meters { display: grid; gap: 1.1rem; margin-bottom: 1.5rem; }
.meters li { display: grid; grid-template-columns: 1fr auto; gap: .3rem 1rem; }
.meters b { text-transform: uppercase; font-size: .85rem; letter-spacing: .04em; }
.meters .bar, .meters small { grid-column: 1 / -1; } .meters .bar { height: .9rem; }
.bar { display: block; width: 100%; height: .7rem; }
.track { fill: var(--track); } .fill { fill: var(--accent); } .soft-fill { fill: var(--faint); }
.hatched { fill: url(#hatch); } .over { fill: var(--bad); } .limit { fill: var(--ink); }
.pill { border: 1px solid var(--line); border-radius: 1rem; padding: .02rem .5rem; font-size: .76rem;
        color: var(--soft); white-space: nowrap; }
.estimate { border: 1px dashed var(--warn); color: var(--warn); }
.scroll { overflow-x: auto; margin-bottom: 1.25rem; } .scroll:last-child, .columns:last-child { margin-bottom: 0; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
caption { text-align: left; font-size: .85rem; color: var(--soft); padding-bottom: .35rem; }
th, td { text-align: left; font-weight: 400; padding: .36rem .9rem .36rem 0; vertical-align: top;
         border-bottom: 1px solid var(--line); }
thead th { font-size: .85rem; color: var(--soft); }
.n { text-align: right; } .n, td > span { white-space: nowrap; }
.bars th, .bars td { padding: .26rem .75rem .26rem 0; border: 0; vertical-align: middle; }
tr > :last-child, .bars tr > :last-child { padding-right: 0; }
.bars th[scope=row] { width: 1%; white-space: nowrap; }
.bars code { display: block; width: max-content; max-width: 12rem; white-space: normal; overflow-wrap: anywhere; }
.boards td, .boards th, .layers td, .layers th { vertical-align: middle; }
.boards td:nth-child(4) { width: 40%; } .layers td:nth-child(3) { width: 18%; }
.layers small { display: inline-block; } .narrow { max-width: 26rem; }
figure { margin: 0; min-width: 0; max-width: 100%; } figcaption { margin-bottom: .3rem; }
.graph { display: flex; flex-wrap: wrap; gap: 1.5rem 2.5rem; } .graph svg { display: block; }
.graph text { font: 10px ui-monospace, "SFMono-Regular", Consolas, monospace; fill: var(--ink); }
.graph .kind { font-weight: 700; }
.graph .layer, .graph .plain-layer, .graph .source { fill: var(--card); stroke: var(--line); }
.graph .layer { fill: color-mix(in srgb, var(--accent) 14%, var(--card)); stroke: var(--faint); }
.graph .source { fill: var(--page); stroke: var(--soft); stroke-dasharray: 3 2; }
.edge { fill: none; stroke: var(--soft); } .point { fill: var(--soft); }
.confusion { table-layout: fixed; max-width: 32rem; }
.confusion thead td { width: 6.2rem; }
.confusion th[scope=row] { padding-right: .5rem; border: 0; vertical-align: middle; }
.confusion thead th, .confusion thead td { border: 0; padding: 0 0 .4rem; vertical-align: bottom; text-align: center; }
.confusion thead span { writing-mode: vertical-rl; transform: rotate(180deg); }
.confusion tbody td { text-align: center; padding: .3rem .1rem; border: 2px solid var(--page); border-radius: .4rem; }
.right { background: color-mix(in srgb, var(--accent) calc(.5 * var(--share)), var(--card)); font-weight: 600; }
.wrong { background: color-mix(in srgb, var(--bad) calc(.5 * var(--share)), var(--card)); }
.none { color: var(--soft); }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 9rem), 1fr)); gap: .7rem 1.5rem;
     margin-bottom: 1.25rem; }
dt { font-size: .85rem; color: var(--soft); }
.origin { display: block; }
.origin div { display: grid; grid-template-columns: 10rem minmax(0, 1fr); padding: .2rem 0; }
dd { min-width: 0; overflow-wrap: anywhere; }
code { font: .86em ui-monospace, "SFMono-Regular", Consolas, monospace; }
td code { display: inline-block; margin-right: .75rem; } .hash { color: var(--soft); overflow-wrap: anywhere; }
@media screen and (min-width: 60rem) { .shrunk { max-width: 100%; height: auto; } }
@media screen and (max-width: 34rem) {
  body { padding: 1.25rem 1rem 3rem; } h1 { font-size: 1.5rem; } code { overflow-wrap: anywhere; }
  .tiles { grid-template-columns: 1fr 1fr; } .tiles b { font-size: 1.25rem; }
  .origin div { grid-template-columns: minmax(0, 1fr); }
  .boards td:nth-child(2), .boards th:nth-child(2), .stack td:last-child, .stack th:last-child,
  .layers :is(td, th):is(:nth-child(2), :nth-child(3), :nth-child(5)) { display: none; }
  .boards code { white-space: nowrap; } .boards td:nth-child(4) { width: 20%; } .boards .n { white-space: normal; }
  .boards td, .boards th { padding-right: .6rem; }
  .layers { font-size: .82rem; } .layers thead th { font-size: .75rem; white-space: normal; }
  .layers td, .layers th { padding-right: .5rem; } .layers small { overflow-wrap: anywhere; }
  .plain thead { display: none; } .plain td, .plain th { border: 0; padding: 0; }
  .plain tr { display: grid; grid-template-columns: 1fr auto; gap: .1rem 1rem; padding: .45rem 0;
              border-bottom: 1px solid var(--line); }
  .plain td:last-child { grid-column: 1 / -1; color: var(--soft); } }
@media print { @page { margin: 15mm; } html { font-size: 9.5pt; } body { max-width: none; padding: 0; }
               section { margin-top: 1.5rem; padding-top: 1rem; } .scroll { overflow: visible; } nav { display: none; }
               .scroll > svg { max-width: 100%; max-height: 245mm; height: auto; }
               code { overflow-wrap: anywhere; }
               p, caption, thead, figcaption { break-after: avoid; break-inside: avoid; }
               tr, .tiles li, .meters li, .verdict, .bars, .confusion, figure { break-inside: avoid; } }
"""
