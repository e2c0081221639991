// The Training tab's right side: the training that is looked at, and the others that run or wait.

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
    h('div', { class: 'isg-actions' }, button('Compare checkpoints', () => compareTraining(job), { iconName: 'grid', id: 'training-compare' }), use),
  );
};

let focusTraining = () => {};

views.training = (element) => {
  let focused = parameters().get('job');
  let panel = null;
  let shown = null;
  const place = h('div', {});
  const chooser = h('select', { id: 'training-choose', 'aria-label': 'Which training to show' });
  const queue = h('div', { class: 'isg-stack tight', id: 'training-queue' });
  const drawQueue = jobCards(queue, { open: (job) => focusTraining(job.id) });
  const others = h('section', { class: 'isg-stack tight', 'aria-label': 'Other trainings' }, h('h3', {}, 'Also in the queue'), queue);
  const empty = emptyState({
    id: 'training-empty',
    iconName: 'train',
    title: 'No training yet',
    text: 'Choose a character and start. Progress, loss and sample pictures appear here, on every device that looks.',
  });
  const newest = (list) => list.find((job) => job.status === 'running') || list.find((job) => job.status === 'cancelling') || list[0];

  const draw = (all) => {
    const list = all.filter((job) => job.type === 'training');
    const job = list.find((one) => one.id === focused) || newest(list);
    if (!job) return element.replaceChildren(empty);
    if (!place.isConnected) element.replaceChildren(h('div', { class: 'isg-bar-row' }, h('h2', {}, 'Progress'), chooser), h('div', { class: 'isg-stack' }, place, others));
    const names = list.map((one) => `${one.title} · ${when(one.created_at)}`);
    if (chooser.dataset.names !== names.join()) {
      chooser.dataset.names = names.join();
      chooser.replaceChildren(...list.map((one, i) => h('option', { value: one.id }, names[i])));
    }
    chooser.value = job.id;
    chooser.hidden = list.length < 2;
    if (shown !== job.id) {
      shown = job.id;
      panel = livePanel(job);
      place.replaceChildren(panel.node);
      panel.load().catch(complain);
    }
    panel.update(job);
    const live = list.filter((one) => isLive(one) && one.id !== job.id).reverse(); // the next one first
    others.hidden = live.length === 0;
    drawQueue(live);
  };

  focusTraining = (id) => {
    focused = id;
    remember({ job: id });
    draw(jobs.list());
    if (matchMedia('(max-width: 720px)').matches) element.scrollIntoView(); // it stands below the form there
  };
  chooser.addEventListener('change', () => focusTraining(chooser.value));
  jobs.onChange(draw);
  jobs.onEvent('metric', (id, event) => id === shown && panel.metric(event));
  jobs.onEvent('preview', (id, event) => id === shown && panel.preview(event));
  // Between two events of a long phase, and after a lost connection, the files say more than this tab has heard.
  bus.on('connection', (up) => up && panel?.load().catch(complain));
};
