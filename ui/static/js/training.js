// The training that is looked at: how far it is, its loss curve, its sample pictures, and what to do when it is done.

const WIDE = 640;
const HIGH = 220;
const LEFT = 46;
const LOW = 26;

const smooth = (values) => {
  let held = values[0];
  return values.map((value) => (held += (value - held) * 0.15));
};

// Loss over steps: every point thin, their running mean strong.
const lossCurve = (points) => {
  const steps = points.map((point) => point.step);
  const losses = points.map((point) => point.loss);
  const [last, top] = [Math.max(...steps, 1), Math.max(...losses) * 1.05 || 1];
  const x = (step) => LEFT + ((WIDE - LEFT - 8) * step) / last;
  const y = (loss) => 8 + (HIGH - LOW - 8) * (1 - loss / top);
  const line = (values, name) =>
    svg('polyline', { class: name, points: values.map((value, i) => `${x(steps[i]).toFixed(1)},${y(value).toFixed(1)}`).join(' ') });
  const label = (text, at, anchor) => {
    const node = svg('text', { x: at[0], y: at[1], 'text-anchor': anchor });
    node.textContent = text;
    return node;
  };
  const rules = [0, 0.25, 0.5, 0.75, 1].map((share) => svg('line', { x1: LEFT, x2: WIDE - 8, y1: y(top * share), y2: y(top * share), class: 'rule' }));
  const scale = [0, 0.5, 1].map((share) => label((top * share).toFixed(top < 0.1 ? 3 : 2), [LEFT - 6, y(top * share) + 4], 'end'));
  return svg(
    'svg',
    { viewBox: `0 0 ${WIDE} ${HIGH}`, class: 'isg-curve', role: 'img', 'aria-label': `Loss after ${last} steps: ${losses.at(-1).toFixed(4)}` },
    ...rules,
    ...scale,
    label('Step 0', [LEFT, HIGH - 6], 'start'),
    label(`${last}`, [WIDE - 8, HIGH - 6], 'end'),
    line(losses, 'raw'),
    line(smooth(losses), 'mean'),
  );
};

const samplePicture = (preview) =>
  h(
    'figure',
    { class: 'isg-sample' },
    h('img', { src: url(preview.url.replace(/^\//, '')), alt: preview.prompt || `Sample at step ${preview.step}`, loading: 'lazy' }),
    h('figcaption', {}, `Step ${preview.step}`),
  );

const whatNow = (job) => {
  const use = button('Generate with it', () => ask('use', job.character_id ? `character:${job.character_id}` : ''), {
    look: 'primary',
    iconName: 'spark',
    id: 'generate-with-it',
  });
  return h(
    'div',
    { class: 'isg-now', id: 'training-now' },
    h('div', {}, h('strong', {}, 'The LoRA is ready.'), h('p', {}, 'Write a prompt with the trigger word to bring the character back.')),
    use,
  );
};

let focusTraining = () => {};

views.training = (element) => {
  let focused = parameters().get('job');
  let shown = null;
  let points = [];
  let card = null;
  const place = h('div', { class: 'isg-stack' });
  const chooser = h('select', { id: 'training-choose', 'aria-label': 'Which training to show' });
  const chart = h('div', { class: 'isg-chart', id: 'training-loss' });
  const samples = h('div', { class: 'isg-samples', id: 'training-samples' });
  const now = h('div', {});
  const empty = emptyState({
    id: 'training-empty',
    iconName: 'train',
    title: 'No training yet',
    text: 'Choose a character and start. Progress, loss and sample pictures appear here, on every device that looks.',
  });

  const drawLoss = () => {
    chart.replaceChildren(...(points.length > 1 ? [h('h3', {}, 'Loss'), lossCurve(points)] : []));
  };
  const load = async (id) => {
    const [loss, previews] = await Promise.all([get(`api/jobs/${id}/loss`), get(`api/jobs/${id}/previews`)]);
    if (shown !== id) return;
    points = loss.items;
    drawLoss();
    samples.replaceChildren(...previews.items.filter((preview) => preview.url).map(samplePicture));
  };
  const newest = (list) => list.find((job) => job.status === 'running') || list[0];

  const draw = (all) => {
    const list = all.filter((job) => job.type === 'training');
    const job = list.find((one) => one.id === focused) || newest(list);
    if (!job) return element.replaceChildren(empty);
    if (!place.isConnected) element.replaceChildren(h('div', { class: 'isg-bar-row' }, h('h2', {}, 'Progress'), chooser), place);
    const names = list.map((one) => `${one.title} · ${when(one.created_at)}`);
    if (chooser.dataset.names !== names.join()) {
      chooser.dataset.names = names.join();
      chooser.replaceChildren(...list.map((one, i) => h('option', { value: one.id }, names[i])));
    }
    chooser.value = job.id;
    chooser.hidden = list.length < 2;
    if (shown !== job.id) {
      shown = job.id;
      points = [];
      card = jobCard(job);
      place.replaceChildren(card.node, now, chart, h('div', {}, samples));
      chart.replaceChildren();
      samples.replaceChildren();
      load(job.id).catch(complain);
    }
    card.update(job);
    const done = job.status === 'completed';
    if (done !== Boolean(now.firstChild)) now.replaceChildren(...(done ? [whatNow(job)] : []));
  };

  focusTraining = (id) => {
    focused = id;
    remember({ job: id });
    draw(jobs.list());
  };
  chooser.addEventListener('change', () => focusTraining(chooser.value));
  jobs.onChange(draw);
  jobs.onEvent('metric', (id, event) => {
    if (id !== shown) return;
    points = points.filter((point) => point.step < event.step).concat(event);
    drawLoss();
  });
  jobs.onEvent('preview', (id, event) => id === shown && event.url && samples.append(samplePicture(event)));
  // Between two events of a long phase, and after a lost connection, the files say more than this tab has heard.
  bus.on('connection', (up) => up && shown && load(shown).catch(complain));
};
