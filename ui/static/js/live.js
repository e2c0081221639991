// One training as it runs: phase, figures, loss curve, samples by step, log, and what a person may ask of it.

const LOG_MS = 4000; // between two looks at the log while it is open

const perSecond = (speed) => (speed >= 1 ? `${speed.toFixed(1)} steps a second` : `${(1 / speed).toFixed(1)} s a step`);

// Between two reports the speed follows from the time that is left.
const speedOf = (job, point) => point?.steps_per_second || (job.eta_seconds > 0 ? (job.total_steps - job.current_step) / job.eta_seconds : 0);

const liveFigures = (job, point) => {
  const rate = point?.learning_rate ?? job.learning_rate;
  const speed = job.status === 'running' ? speedOf(job, point) : 0;
  return [
    job.total_steps > 0 && `Step ${job.current_step} of ${job.total_steps}`,
    typeof job.loss === 'number' && `Loss ${job.loss.toFixed(4)}`,
    rate > 0 && `Learning rate ${Number(rate.toPrecision(2))}`,
    speed > 0 && perSecond(speed),
    job.status === 'running' && job.eta_seconds > 0 && `About ${duration(job.eta_seconds)} left`,
  ].filter(Boolean);
};

// Wishes that a running training hears of; it goes on.
const wishButtons = (job) => {
  if (job.type !== 'training' || job.status !== 'running' || job.stop_asked || !job.current_step) return [];
  const wish = (label, name, iconName) =>
    button(label, () => jobs.ask(job.id, name), { small: true, iconName, id: `training-${name}`, name: `${label}: ${job.title}` });
  return [wish('Save now', 'save-now', 'download'), wish('Sample now', 'sample-now', 'picture')];
};

const enlarge = (preview) => {
  const image = h('img', { class: 'isg-large', src: url(preview.url.replace(/^\//, '')), alt: preview.prompt || `Sample at step ${preview.step}` });
  dialog(`Sample at step ${preview.step}`, [image, preview.prompt && h('p', {}, preview.prompt)], { id: 'sample-detail' });
};

// Samples, a row for each step, the newest first: a prompt stands below itself, so that its progress is seen.
const sampleRows = () => {
  const node = h('div', { class: 'isg-samples-by-step', id: 'training-samples' });
  const rows = new Map();
  const rowOf = (step) => {
    if (rows.has(step)) return rows.get(step);
    const row = h('div', { class: 'isg-samples' });
    const whole = h('section', { 'data-step': step, 'aria-label': `Samples at step ${step}` }, h('h4', {}, `Step ${step}`), row);
    rows.set(step, row);
    const later = [...node.children].find((other) => Number(other.dataset.step) < step);
    node.insertBefore(whole, later || null);
    return row;
  };
  const add = (preview) => {
    if (!preview.url) return;
    const row = rowOf(preview.step);
    const image = h('img', { src: url(preview.url.replace(/^\//, '')), alt: preview.prompt || `Sample at step ${preview.step}`, loading: 'lazy' });
    const tile = h('button', { type: 'button', class: 'isg-bare isg-sample', 'data-index': preview.index, onclick: () => enlarge(preview) }, image);
    const same = [...row.children].find((other) => Number(other.dataset.index) === preview.index);
    if (same) same.replaceWith(tile);
    else row.insertBefore(tile, [...row.children].find((other) => Number(other.dataset.index) > preview.index) || null);
  };
  return { node, add };
};

const logLine = ({ at, text }) => h('div', {}, h('time', { datetime: at }, new Date(at).toLocaleTimeString('en-GB')), h('span', {}, text));

// The log is read when it is opened, and again while it stays open and the training runs.
const logPane = (id, running) => {
  const lines = h('div', { class: 'isg-log', role: 'log', tabindex: 0, 'aria-label': 'Log of this training', id: 'training-log' });
  const node = h('details', { class: 'isg-chart' }, h('summary', {}, 'Log'), lines);
  let timer = null;
  const load = async () => {
    if (!node.isConnected || !node.open) return;
    const { items, printed } = await get(`api/jobs/${id}/log`);
    const atEnd = lines.scrollHeight - lines.scrollTop - lines.clientHeight < 30;
    const said = printed.length > 0 && [h('h4', {}, 'What the trainer printed last'), h('pre', {}, printed.join('\n'))];
    lines.replaceChildren(...items.map(logLine), ...(said || []));
    if (atEnd) lines.scrollTop = lines.scrollHeight;
    clearTimeout(timer);
    if (running()) timer = setTimeout(() => load().catch(complain), LOG_MS);
  };
  node.addEventListener('toggle', () => load().catch(complain));
  return { node, load: () => load().catch(complain) };
};

// A training that was killed took what its earlier attempts took, too.
const tookInAll = (measured) => (measured ? measured.seconds + measured.seconds_before : 0);

// What was foretold and what it took, side by side.
const tookLine = ({ forecast, measured }) => {
  if (!measured) return '';
  const pair = (took, foretold, words) => took > 0 && `${words(took)} (foretold: ${foretold > 0 ? words(foretold) : 'not known'})`;
  const facts = [
    pair(tookInAll(measured), forecast?.seconds, duration),
    pair(measured.peak_vram_gb, forecast?.vram_gb, (gb) => `${inGigabytes(gb)} of GPU memory`),
    pair(measured.peak_ram_gb, forecast?.ram_gb, (gb) => `${inGigabytes(gb)} of main memory`),
  ];
  return `It took ${facts.filter(Boolean).join(', ')}.`;
};

const livePanel = (first) => {
  let job = first;
  let points = [];
  let phase = '';
  const card = jobCard(first, { figures: (now) => liveFigures(now, points.at(-1)), wishes: wishButtons });
  const now = h('div', { class: 'isg-stack tight' });
  const chart = h('div', { class: 'isg-chart', id: 'training-loss' });
  const samples = sampleRows();
  const log = logPane(first.id, () => isLive(job));
  const spoken = h('p', { class: 'isg-spoken', role: 'status' });
  const node = h('div', { class: 'isg-stack', 'data-training': first.id }, card.node, spoken, now, chart, samples.node, log.node);
  const tellTook = async () => {
    const { items } = await get(`api/loras?character_id=${encodeURIComponent(first.character_id)}&limit=50`);
    const made = items.find((lora) => lora.job_id === first.id);
    if (made && tookLine(made)) now.append(h('p', { class: 'isg-muted', id: 'training-took' }, tookLine(made)));
  };
  let drawnFor = 0;
  const drawLoss = () => {
    drawnFor = chart.clientWidth;
    chart.replaceChildren(...(points.length > 1 ? [h('h3', {}, 'Loss'), lossCurve(points, drawnFor)] : []));
  };
  new ResizeObserver(() => chart.clientWidth !== drawnFor && drawLoss()).observe(chart);
  const load = async () => {
    const [loss, previews] = await Promise.all([get(`api/jobs/${first.id}/loss`), get(`api/jobs/${first.id}/previews`)]);
    const last = loss.items.at(-1)?.step || 0;
    points = loss.items.concat(points.filter((heard) => heard.step > last)); // while the answer was on its way
    drawLoss();
    previews.items.forEach(samples.add);
    card.update(job);
  };
  const update = (latest) => {
    const ended = isLive(job) && !isLive(latest);
    job = latest;
    card.update(job);
    const done = job.status === 'completed';
    if (done !== Boolean(now.firstChild)) {
      now.replaceChildren(...(done ? [whatNow(job)] : []));
      if (done) tellTook().catch(complain);
    }
    const text = job.message.replace(/\d+\/\d+/, '').trim(); // steps go by too fast to be read out
    if (text !== phase) spoken.textContent = phase = text;
    if (ended) log.load();
  };
  const metric = (point) => {
    points = points.filter((earlier) => earlier.step < point.step).concat(point);
    drawLoss();
  };
  return { node, load, update, metric, preview: samples.add };
};
