// Comparison grids: a table with what changes over its columns and beside its rows, filled as pictures come.

const SETTING = {
  lora: 'LoRA',
  lora_strength: 'Strength',
  steps: 'Steps',
  guidance_scale: 'Guidance',
  seed: 'Seed',
  prompt: 'Words',
  sampler: 'Sampler',
  scheduler: 'Scheduler',
};

const axisHead = (axis, value, props) => {
  const node = h('th', props, h('small', {}, SETTING[axis.field]), h('span', {}, String(value)));
  if (axis.field === 'lora') node.lastChild.dataset.lora = value;
  return node;
};

// `put(column, row, node)` fills a cell; `at(index)` tells the cell of a job's picture.
const gridTable = (grid) => {
  const columns = grid.x.values;
  const rows = grid.y ? grid.y.values : [null];
  const places = new Map();
  const cell = (column, row) => {
    const node = h('td', {}, h('div', { class: 'isg-cell' }));
    places.set(`${column},${row}`, node.firstChild);
    return node;
  };
  const head = h('tr', {}, grid.y && h('td', { class: 'corner' }), columns.map((value) => axisHead(grid.x, value, { scope: 'col' })));
  const body = rows.map((value, row) =>
    h('tr', {}, grid.y && axisHead(grid.y, value, { scope: 'row' }), columns.map((_, column) => cell(column, row))),
  );
  const table = h('table', { class: 'isg-grid' }, h('thead', {}, head), h('tbody', {}, body));
  const named = () => table.querySelectorAll('[data-lora]').forEach((node) => (node.textContent = loraLabel(node.dataset.lora)));
  if ([grid.x, grid.y].some((axis) => axis?.field === 'lora')) learnLabels().then(named, complain);
  return {
    node: h('div', { class: 'isg-scroll', tabindex: 0, role: 'region', 'aria-label': 'Comparison grid' }, table),
    put: (column, row, node) => places.get(`${column},${row}`)?.replaceChildren(node),
    at: (index) => [index % columns.length, Math.floor(index / columns.length)],
    size: columns.length * rows.length,
  };
};

const fillGrid = (table, outputs) => {
  const inside = outputs.filter((output) => output.cell);
  inside.forEach((output) => table.put(...output.cell, outputTile(output, inside)));
};

const showGrid = async (jobId) => {
  const found = await get(`api/grids/${jobId}`);
  const table = gridTable(found.grid);
  fillGrid(table, found.outputs);
  const job = jobs.get(jobId);
  const whole = !job || !isLive(job);
  const file = h(
    'a',
    { class: 'isg-btn', href: url(found.url.replace(/^\//, '')), download: `grid-${jobId}.jpg`, id: 'grid-download' },
    icon('download'),
    h('span', {}, 'Download as one picture'),
  );
  const lead = whole ? h('div', { class: 'isg-actions' }, file) : h('p', { class: 'isg-muted' }, 'More of its pictures are on the way.');
  dialog(`Grid of ${count(table.size, 'picture', 'pictures')}`, [lead, table.node], { wide: true, id: 'grid-detail' });
};
