"""The constant parts of the page: its sheet and its script. No text of a user gets in here."""

from __future__ import annotations

SHEET = """
:root{color-scheme:light dark}
*{box-sizing:border-box}
body{margin:0;height:100vh;display:flex;flex-direction:column;background:#fff;color:#1f2328;
font:14px/1.45 Helvetica,Arial,'Liberation Sans',sans-serif}
header{display:flex;gap:24px;align-items:center;padding:12px 20px 8px;flex-wrap:wrap}
.who{flex:1 1 260px;min-width:0}h1{font-size:20px;margin:0;overflow-wrap:anywhere}
header p,.about p{margin:1px 0 0;color:#57606a;overflow-wrap:anywhere}
.find{color:#57606a}.find input{font:inherit;color:inherit;width:240px;padding:5px 10px;
border:1px solid #8c959f;border-radius:7px;background:transparent}
#hits{display:inline-block;min-width:64px}
nav{padding:0 20px;display:flex;gap:4px;overflow-x:auto;flex:none}nav[hidden]{display:none}
nav button{font:inherit;color:inherit;background:none;border:0;padding:7px 12px;white-space:nowrap;
border-bottom:3px solid transparent;cursor:pointer}
nav button[aria-selected=true]{border-color:#0a57b8;font-weight:bold}
main{flex:1;display:flex;min-height:0;border-top:1px solid #d8dee4;border-bottom:1px solid #d8dee4}
#stage{flex:1;min-width:0;position:relative;display:flex;background:#fbfcfd}
section{flex:1;min-width:0;display:flex;flex-direction:column}section[hidden]{display:none}
.about{padding:10px 20px 4px}.about h2{font-size:16px;margin:0;overflow-wrap:anywhere}
.about ul{list-style:none;margin:6px 0 0;padding:0;display:flex;flex-wrap:wrap;gap:6px}
.about li{font-size:12px;padding:1px 9px;border:1px solid #d8dee4;border-radius:10px;
color:#57606a;overflow-wrap:anywhere}
.canvas{flex:1;min-height:0;overflow:hidden;cursor:grab;position:relative;touch-action:none}
.js .canvas svg{position:absolute;left:0;top:0;transform-origin:0 0}
html:not(.js) .canvas{overflow:auto}
.canvas:active{cursor:grabbing}
.zoom{position:absolute;right:14px;bottom:14px;display:flex;gap:4px}
html:not(.js) .zoom,html:not(.js) .find,html:not(.js) nav,html:not(.js) aside{display:none}
html:not(.js) body{height:auto}html:not(.js) #stage{flex-direction:column}
.zoom button{font:inherit;min-width:34px;height:32px;border:1px solid #8c959f;border-radius:7px;
background:#fff;color:inherit;cursor:pointer}
aside{width:340px;flex:none;overflow:auto;padding:14px 18px;border-left:1px solid #d8dee4}
aside h2{font-size:16px;margin:0 0 2px;overflow-wrap:anywhere}
aside .kind{color:#57606a;margin:0 0 10px}
aside dt{font-size:12px;color:#57606a;margin-top:10px}
aside dd{margin:1px 0 0;white-space:pre-wrap;overflow-wrap:anywhere}
aside dd.code{font:12px/1.5 ui-monospace,'Liberation Mono',monospace;background:#f4f6f8;
padding:6px 8px;border-radius:6px}
aside dd button{font:inherit;color:#0a57b8;background:none;border:0;padding:0 8px 0 0;
cursor:pointer;text-decoration:underline;overflow-wrap:anywhere;text-align:left}
footer{padding:6px 20px;overflow-x:auto;flex:none}
.js .n{cursor:pointer}.n:focus{outline:none}
.n:focus-visible>.box{stroke-width:3.4}
.n.sel>.box{stroke-width:3.6;stroke:#d1477a}
.dim{opacity:.22}
:focus-visible{outline:2px solid #0a57b8;outline-offset:1px}
.canvas:focus-visible{outline-offset:-2px}
@media(max-width:760px){main{flex-direction:column}aside{width:auto;max-height:40vh;
border-left:0;border-top:1px solid #d8dee4}}
@media(prefers-color-scheme:dark){
body{background:#0d1117;color:#e6edf3}
header p,.about p,.find,.about li,aside .kind,aside dt{color:#9aa4af}
main,aside,.about li{border-color:#30363d}
#stage{background:#11161d}.zoom button{background:#1a2029;border-color:#6e7681}
.find input{border-color:#6e7681}
aside dd.code{background:#1a2029}aside dd button{color:#58a6ff}
nav button[aria-selected=true]{border-color:#58a6ff}
.n.sel>.box{stroke:#f27aa6}
:focus-visible{outline-color:#58a6ff}}
@media print{body{height:auto}nav,aside,.zoom,.find{display:none}
section[hidden]{display:flex}#stage{flex-direction:column}
.js .canvas svg{position:static;transform:none!important;max-width:100%;height:auto}}
"""

SCRIPT = """
'use strict';
(() => {
const byId = (id) => document.getElementById(id);
const data = JSON.parse(byId('data').textContent);
const side = byId('side'), find = byId('find'), hits = byId('hits');
const views = new Map();
let current = null, selected = null;
document.documentElement.classList.add('js');

for (const graph of data.graphs) {
  const section = byId('view-' + graph.key);
  const canvas = section.querySelector('.canvas');
  const svg = canvas.querySelector('svg');
  const view = {graph, section, canvas, svg, tab: byId('tab-' + graph.key),
    width: svg.width.baseVal.value, height: svg.height.baseVal.value, x: 0, y: 0, scale: 0};
  views.set(graph.key, view);
  view.tab.addEventListener('click', () => show(view));
  view.tab.addEventListener('keydown', (event) => {
    const all = [...views.values()];
    const step = {ArrowRight: 1, ArrowLeft: -1}[event.key];
    if (!step) return;
    const next = all[(all.indexOf(view) + step + all.length) % all.length];
    show(next);
    next.tab.focus();
    event.preventDefault();
  });
  moves(view);
  for (const id of Object.keys(graph.nodes)) {
    const element = byId(id);
    element.addEventListener('click', () => { if (!view.dragged) select(view, id); });
    element.addEventListener('keydown', (event) => {
      if (event.key === 'Enter' || event.key === ' ') {
        select(view, id);
        event.preventDefault();
        event.stopPropagation();
      }
    });
    element.addEventListener('focus', () => {
      if (element.matches(':focus-visible')) reveal(view, element);
    });
  }
}

function place(view) {
  view.svg.style.transform =
    'translate(' + view.x + 'px,' + view.y + 'px) scale(' + view.scale + ')';
}

function fit(view) {
  const box = view.canvas.getBoundingClientRect();
  const whole = Math.min(box.width / view.width, box.height / view.height);
  view.scale = Math.min(1, Math.max(whole, 0.05));
  view.x = Math.max(0, (box.width - view.width * view.scale) / 2);
  view.y = Math.max(0, (box.height - view.height * view.scale) / 2.4);
  place(view);
}

function begin(view) {
  if (view.scale >= 0.55) return;
  const box = view.canvas.getBoundingClientRect();
  view.scale = 0.62;
  view.x = Math.max(0, (box.width - view.width * view.scale) / 2);
  view.y = Math.max(0, (box.height - view.height * view.scale) / 2);
  if (view.width / box.width > view.height / box.height) {
    view.y = (box.height - view.height * view.scale) / 2;
  } else {
    view.x = (box.width - view.width * view.scale) / 2;
  }
  place(view);
}

function zoom(view, factor, x, y) {
  const box = view.canvas.getBoundingClientRect();
  const px = x === undefined ? box.width / 2 : x - box.left;
  const py = y === undefined ? box.height / 2 : y - box.top;
  const next = Math.min(4, Math.max(0.05, view.scale * factor));
  view.x = px - (px - view.x) * next / view.scale;
  view.y = py - (py - view.y) * next / view.scale;
  view.scale = next;
  place(view);
}

function moves(view) {
  let from = null;
  view.canvas.addEventListener('wheel', (event) => {
    event.preventDefault();
    zoom(view, Math.exp(-event.deltaY * 0.0015), event.clientX, event.clientY);
  }, {passive: false});
  view.canvas.addEventListener('pointerdown', (event) => {
    if (event.button === 0) {
      from = {x: event.clientX - view.x, y: event.clientY - view.y,
        startX: event.clientX, startY: event.clientY};
      view.dragged = false;
    }
  });
  window.addEventListener('pointermove', (event) => {
    if (!from) return;
    if (Math.hypot(event.clientX - from.startX, event.clientY - from.startY) > 4) {
      view.dragged = true;
    }
    if (view.dragged) {
      view.x = event.clientX - from.x;
      view.y = event.clientY - from.y;
      place(view);
    }
  });
  window.addEventListener('pointerup', () => { from = null; });
  view.canvas.addEventListener('keydown', (event) => {
    const step = {ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60],
      ArrowDown: [0, -60]}[event.key];
    if (step) {
      view.x += step[0];
      view.y += step[1];
      place(view);
    } else if (event.key === '+' || event.key === '=') {
      zoom(view, 1.25);
    } else if (event.key === '-') {
      zoom(view, 0.8);
    } else if (event.key === '0') {
      fit(view);
    } else {
      return;
    }
    event.preventDefault();
  });
  view.canvas.addEventListener('click', (event) => {
    if (!view.dragged && !event.target.closest('.n')) select(view, null);
  });
}

function reveal(view, element) {
  const box = view.canvas.getBoundingClientRect();
  const at = element.getBoundingClientRect();
  if (at.width && at.width / view.scale * view.scale < 60) zoom(view, 0.9 / view.scale);
  const now = element.getBoundingClientRect();
  if (now.left < box.left || now.right > box.right || now.top < box.top
      || now.bottom > box.bottom) {
    view.x += box.left + box.width / 2 - (now.left + now.right) / 2;
    view.y += box.top + box.height / 2 - (now.top + now.bottom) / 2;
    place(view);
  }
}

function show(view) {
  current = view;
  for (const other of views.values()) {
    other.section.hidden = other !== view;
    other.tab.setAttribute('aria-selected', String(other === view));
    other.tab.tabIndex = other === view ? 0 : -1;
  }
  if (!view.scale) { fit(view); begin(view); }
  select(view, null);
  search();
}

function related(graph, id) {
  const found = new Set([id]);
  for (const [from, to] of [[0, 1], [1, 0]]) {
    const todo = [id];
    const seen = new Set(todo);
    while (todo.length) {
      const one = todo.pop();
      for (const edge of graph.edges) {
        if (edge[from] === one && !seen.has(edge[to])) {
          seen.add(edge[to]);
          found.add(edge[to]);
          todo.push(edge[to]);
        }
      }
    }
  }
  return found;
}

function select(view, id) {
  if (selected) byId(selected).classList.remove('sel');
  selected = id;
  const kept = id ? related(view.graph, id) : null;
  for (const one of Object.keys(view.graph.nodes)) {
    byId(one).classList.toggle('dim', Boolean(kept && !kept.has(one)));
  }
  for (const line of view.svg.querySelectorAll('[data-edge]')) {
    const ends = line.dataset.edge.split(' ').map((names) => names.split(','));
    const lit = !kept || ends.every((names) => names.some((name) => kept.has(name)));
    line.classList.toggle('dim', !lit);
  }
  if (id) byId(id).classList.add('sel');
  describe(view, id);
}

function add(parent, tag, text, name) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (name) element.className = name;
  parent.append(element);
  return element;
}

function describe(view, id) {
  side.replaceChildren();
  if (!id) {
    add(side, 'h2', 'Details');
    add(side, 'p', 'Select a step to see what it runs, reads and writes, and where the spec '
      + 'says so. What it needs and what needs it stays bright.', 'kind');
    return;
  }
  const node = view.graph.nodes[id];
  add(side, 'h2', node.title);
  add(side, 'p', [node.kind, ...node.badges].join(' \\u00b7 '), 'kind');
  const list = add(side, 'dl');
  for (const [label, text] of node.details) {
    add(list, 'dt', label);
    add(list, 'dd', text, ['Run', 'Spec', 'Environment'].includes(label) ? 'code' : '');
  }
  if (node.opens) {
    add(list, 'dt', 'Steps');
    const open = add(add(list, 'dd'), 'button', 'show its steps');
    open.type = 'button';
    open.addEventListener('click', () => {
      show(views.get(node.opens));
      views.get(node.opens).tab.focus();
    });
  }
  neighbours(view, list, 'Waits for', id, 1, 0);
  neighbours(view, list, 'Waited for by', id, 0, 1);
}

function neighbours(view, list, label, id, mine, theirs) {
  const found = view.graph.edges.filter((edge) => edge[mine] === id);
  if (!found.length) return;
  add(list, 'dt', label);
  const line = add(list, 'dd');
  for (const edge of found) {
    const button = add(line, 'button', view.graph.nodes[edge[theirs]].title);
    button.type = 'button';
    button.addEventListener('click', () => {
      select(view, edge[theirs]);
      reveal(view, byId(edge[theirs]));
    });
  }
}

function search() {
  const words = find.value.toLowerCase().split(/\\s+/).filter(Boolean);
  const found = [];
  for (const [id, node] of Object.entries(current.graph.nodes)) {
    const hit = words.every((word) => node.find.includes(word));
    byId(id).classList.toggle('dim', words.length > 0 && !hit);
    if (words.length && hit) found.push(id);
  }
  hits.textContent = words.length ? found.length + ' found' : '';
  return found;
}

find.addEventListener('input', () => { select(current, null); search(); });
find.addEventListener('keydown', (event) => {
  const found = search();
  if (event.key === 'Enter' && found.length) {
    const next = found[(found.indexOf(selected) + 1) % found.length];
    select(current, next);
    reveal(current, byId(next));
  } else if (event.key === 'Escape') {
    find.value = '';
    search();
  }
});
document.addEventListener('keydown', (event) => {
  if (event.key === '/' && document.activeElement !== find) {
    find.focus();
    event.preventDefault();
  } else if (event.key === 'Escape' && document.activeElement !== find) {
    select(current, null);
  }
});
byId('zoom-in').addEventListener('click', () => zoom(current, 1.25));
byId('zoom-out').addEventListener('click', () => zoom(current, 0.8));
byId('zoom-fit').addEventListener('click', () => fit(current));
show(views.values().next().value);
})();
"""
