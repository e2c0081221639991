// The registry: what each model is, what it needs, what of it is here, and a job that fetches the rest.

const HIDE_KEY = 'isengard.models.commercial-only';
const USES = { images: 'pictures', training: 'training', faces: 'faces' };
const gigabytes = (bytes) => (bytes < 2 ** 30 ? size(bytes) : `${(bytes / 2 ** 30).toFixed(1)} GB`);
const isDownloadOf = (job, modelId) => job.type === 'download' && job.payload.model_id === modelId;

const fileLine = (file) => {
  const state = file.here ? 'here' : file.begun > 0 ? `${gigabytes(file.begun)} here` : 'missing';
  return h('li', {}, h('code', {}, file.path), ` ${[file.size && gigabytes(file.size), state].filter(Boolean).join(', ')}`);
};

const downloadLine = (model, download) => {
  const uses = download.use.map((use) => USES[use] || use).join(' and ');
  const facts = [`For ${uses}`, download.bytes > 0 && gigabytes(download.bytes), download.origin, download.gated && 'needs a Hugging Face token'];
  const fetchIt = button(
    'Download',
    async () => {
      await post(`api/models/${model.row.id}/download`, { source: download.id });
      await jobs.refresh();
    },
    { iconName: 'download', small: true, name: `Download ${model.row.name} for ${uses}` },
  );
  return h(
    'div',
    { class: 'isg-stack tight', 'data-source': download.id },
    h('div', { class: 'isg-bar-row' }, h('p', {}, facts.filter(Boolean).join(' · ')), download.here ? pill('Here', 'good') : fetchIt),
    download.files.length > 0 && h('details', {}, h('summary', {}, count(download.files.length, 'file', 'files')), h('ul', {}, download.files.map(fileLine))),
  );
};

const memory = (row) => {
  const needs = Object.entries(row.needs).filter(([, need]) => need.vram_gb > 0);
  if (needs.length === 0) return row.kind === 'base_model' ? 'Needs no GPU' : '';
  return `GPU memory: ${needs.map(([task, need]) => `${need.vram_gb} GB for ${USES[task]}`).join(', ')}`;
};

const modelCard = (model) => {
  const { row } = model;
  const can = [model.can_generate && 'Draws here', model.can_train && 'trains here'].filter(Boolean).join(', ');
  const licence = row.license_url.startsWith('https://')
    ? h('a', { href: row.license_url, target: '_blank', rel: 'noopener' }, row.license)
    : row.license;
  const running = h('div', { class: 'isg-stack tight' });
  const node = h(
    'article',
    { class: 'isg-job', 'data-model': row.id },
    h('header', {}, h('strong', { class: 'isg-job-title' }, row.name), model.installed ? pill(can || 'Here', 'good') : pill('Not here')),
    h('p', {}, row.purpose),
    h('p', { class: 'isg-muted' }, licence, row.commercial_use ? '' : ' ', !row.commercial_use && pill('Not for commercial use', 'warn')),
    row.license_note && h('p', { class: 'isg-muted' }, row.license_note),
    memory(row) && h('p', { class: 'isg-muted' }, memory(row)),
    model.reason && h('p', { class: 'isg-muted' }, model.reason),
    model.downloads.map((download) => downloadLine(model, download)),
    running,
  );
  const draw = jobCards(running);
  return { node, row, update: (list) => draw(list.filter((job) => isDownloadOf(job, row.id) && (isLive(job) || job.status === 'failed')).slice(0, 3)) };
};

views.models = (element) => {
  const list = h('div', { class: 'isg-stack', id: 'models-list' });
  const hide = h('input', { type: 'checkbox', id: 'models-commercial' });
  hide.checked = localStorage.getItem(HIDE_KEY) === 'yes';
  let cards = [];
  const filter = () => cards.forEach(({ node, row }) => (node.hidden = hide.checked && !row.commercial_use));
  const show = (page) => {
    cards = page.items.map(modelCard);
    list.replaceChildren(...cards.map((card) => card.node));
    cards.forEach((card) => card.update(jobs.list()));
    filter();
  };
  const load = newest(() => get('api/models'), show);
  hide.addEventListener('change', () => {
    localStorage.setItem(HIDE_KEY, hide.checked ? 'yes' : 'no');
    filter();
  });
  element.replaceChildren(
    h('div', { class: 'isg-bar-row' }, h('h2', {}, 'Models'), h('label', { class: 'isg-check' }, hide, h('span', {}, 'Hide models that may not be used commercially'))),
    list,
  );
  jobs.onChange((all) => cards.forEach((card) => card.update(all)));
  jobs.onEnd((job) => job.type === 'download' && load().catch(complain));
  bus.on('connection', (up) => up && load().catch(complain));
  load().catch(complain);
};
