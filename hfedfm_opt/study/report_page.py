"""The frame of the HTML report: style and the few lines of script; ``@@NAME@@`` marks what is filled in."""

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>@@TITLE@@</title>
<style>
:root { color-scheme: light; --ink: #1f2937; --muted: #6b7280; --line: #e5e7eb; --accent: #2563eb; }
* { box-sizing: border-box; }
body { margin: 0; background: #f3f4f6; color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", Arial, sans-serif; }
main { max-width: 1176px; margin: 0 auto; padding: 32px 16px 64px; }
h1 { font-size: 30px; margin: 0 0 8px; }
h2 { font-size: 20px; margin: 0 0 8px; }
section { background: #fff; border: 1px solid var(--line); border-radius: 10px; padding: 24px 32px;
  margin: 24px 0; }
p { margin: 0 0 12px; max-width: 100ch; }
.lead, .caption { color: var(--muted); font-size: 14px; }
.caption { margin: 12px 0 0; }
.note { background: #fef3c7; border-radius: 6px; padding: 8px 12px; }
.choice { display: inline-block; margin: 4px 0 12px; font-size: 14px; }
select { font: inherit; padding: 4px 8px; border: 1px solid var(--line); border-radius: 6px;
  background: #fff; }
.figure, .scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 14px; width: 100%; }
th, td { padding: 6px 10px; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { color: var(--muted); font-weight: 600; border-bottom: 2px solid var(--line); }
.number { text-align: right; font-variant-numeric: tabular-nums; }
.word { text-align: left; }
tr.own td { font-weight: 600; }
tr.own td:first-child { box-shadow: inset 3px 0 var(--accent); }
li { margin: 0 0 8px; max-width: 100ch; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 6px 24px; margin: 0; font-size: 14px; }
dt { color: var(--muted); }
dd { margin: 0; overflow-wrap: anywhere; }
</style>
</head>
<body>
<main>
@@BODY@@
</main>
<script>@@PLOTLY@@</script>
<script>
const options = { displaylogo: false, showTips: false, modeBarButtonsToRemove: ["lasso2d", "select2d"] };
for (const place of document.querySelectorAll(".figure")) {
  const figures = JSON.parse(document.getElementById(place.id + "-figures").textContent);
  const draw = (index) => Plotly.newPlot(place, figures[index].data, figures[index].layout, options);
  const choice = document.querySelector(`select[data-for="${place.id}"]`);
  if (choice) choice.addEventListener("change", () => draw(choice.selectedIndex));
  if (figures.length) draw(0);
}
</script>
</body>
</html>
"""
