// The generations of now: live previews, then each picture as it is done, until the page is left.

const SHOWN = { waiting: 2, ended: 3 };

const stripOf = () => {
  const node = h('div', { class: 'isg-outputs', 'aria-live': 'polite' });
  const places = [];
  const put = (index, child) => {
    while (places.length <= index) {
      places.push(h('div', { class: 'isg-place', hidden: true }));
      node.append(places.at(-1));
    }
    places[index].hidden = false;
    places[index].replaceChildren(child);
  };
  return { node, put, all: (outputs) => outputs.forEach((output, i) => put(i, outputTile(output, outputs))) };
};

const gridOf = (grid) => {
  const table = gridTable(grid);
  return { node: table.node, put: (index, child) => table.put(...table.at(index), child), all: (outputs) => fillGrid(table, outputs) };
};

const indexOf = (output) => Number(output.id.split('.').at(-1));

const makingCard = (job) => {
  const card = jobCard(job);
  const board = job.payload?.grid ? gridOf(job.payload.grid) : stripOf();
  const node = h('div', { class: 'isg-making' }, card.node, board.node);
  const made = new Map(); // index: Output
  const images = new Map(); // index: preview
  const preview = (index, address) => {
    if (made.has(index)) return;
    if (!images.has(index)) {
      images.set(index, h('img', { class: 'isg-preview', alt: `Picture ${index + 1} in the making` }));
      board.put(index, images.get(index));
    }
    images.get(index).src = url(address.replace(/^\//, ''));
  };
  const picture = (output) => {
    const index = indexOf(output);
    if (made.has(index)) return;
    made.set(index, output);
    board.put(index, outputTile(output, [...made.keys()].sort((a, b) => a - b).map((key) => made.get(key))));
  };
  let done = '';
  const update = (now) => {
    card.update(now);
    node.dataset.status = now.status;
    const ids = (now.outputs || []).map((output) => output.id).join();
    if (!ids || ids === done) return;
    done = ids;
    now.outputs.forEach((output) => made.set(indexOf(output), output));
    board.all(now.outputs);
  };
  update(job);
  // A page that was opened in the middle of it shows what is done already.
  const before = async () => {
    const page = await get('api/outputs?limit=100');
    page.items.filter((output) => output.job_id === job.id).forEach(picture);
  };
  if (job.status === 'running' && job.progress > 0) before().catch(complain);
  return { node, update, preview, picture };
};

const fetched = async (id, index, card) => card.picture(await get(`api/outputs/${encodeURIComponent(`${id}.${index}`)}`));

views.making = (element) => {
  const cards = new Map();
  const opened = new Date(Date.now() - 1000);
  const holder = h('div', { class: 'isg-stack', id: 'making' });
  const rest = button('', toggleDrawer, { look: 'quiet small', id: 'making-rest' });
  rest.append(h('span', {}));
  rest.hidden = true;
  element.replaceChildren(holder, rest);
  jobs.onChange((list) => {
    const mine = list.filter((job) => job.type === 'generation' && job.status !== 'cancelled');
    const queued = mine.filter((job) => job.status === 'queued').reverse(); // the next one first
    const running = mine.filter((job) => isLive(job) && job.status !== 'queued').reverse();
    const ended = mine.filter((job) => !isLive(job) && new Date(job.created_at) > opened);
    const wanted = [...running, ...queued.slice(0, SHOWN.waiting), ...ended.slice(0, SHOWN.ended)];
    for (const job of wanted) {
      if (cards.has(job.id)) cards.get(job.id).update(job);
      else cards.set(job.id, makingCard(job));
    }
    const more = queued.length - SHOWN.waiting;
    rest.hidden = more <= 0;
    rest.firstChild.textContent = `${more} more wait in the queue`;
    const nodes = wanted.map((job) => cards.get(job.id).node);
    if (nodes.length !== holder.children.length || nodes.some((node, i) => node !== holder.children[i])) holder.replaceChildren(...nodes);
  });
  jobs.onEvent('preview', (id, event) => event.url && cards.get(id)?.preview(event.index, event.url));
  jobs.onEvent('picture', (id, event) => cards.has(id) && fetched(id, event.index, cards.get(id)).catch(complain));
};
