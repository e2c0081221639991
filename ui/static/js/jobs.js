// What is happening: all jobs that this browser knows, kept fresh by events; the drawer that lists them.

const LIVE = ['queued', 'running', 'cancelling'];
const GATHER_MS = 200; // many jobs may be submitted at once: one list tells of them all
const isLive = (job) => LIVE.includes(job.status);

const jobs = (() => {
  const known = new Map();
  const listeners = new Set();
  const kinds = new Map();
  const listenersOf = (kind) => kinds.get(kind) || [];
  let drawing = false;
  let loaded = false;
  let cursor = null;

  const changed = () => {
    if (drawing) return;
    drawing = true;
    // A hidden tab has no animation frames; its views are drawn when it is looked at.
    requestAnimationFrame(() => {
      drawing = false;
      listeners.forEach((listener) => listener(list()));
    });
  };
  const list = () => [...known.values()].sort((a, b) => (a.id.split('-')[1] < b.id.split('-')[1] ? 1 : -1));
  const endListeners = new Set();
  // A quick job may have ended before it was heard of: in an event, or in a list that is not the first.
  const keep = (job, heard = false) => {
    const old = known.get(job.id);
    if (old && old.seq > job.seq) return;
    known.set(job.id, job);
    if ((old ? isLive(old) : heard) && !isLive(job)) endListeners.forEach((listener) => listener(job));
  };
  const load = async (id) => {
    keep(await get(`api/jobs/${id}`), true);
    changed();
  };
  const refresh = async () => {
    const page = await get('api/jobs?limit=50');
    page.items.forEach((job) => keep(job, loaded));
    loaded = true;
    cursor = cursor || page.next;
    changed();
  };
  const more = async () => {
    const page = await get(`api/jobs?limit=50&cursor=${encodeURIComponent(cursor)}`);
    page.items.forEach((job) => keep(job));
    cursor = page.next;
    changed();
  };

  let asked = false;
  const refreshSoon = () => {
    if (asked) return;
    asked = true;
    setTimeout(() => {
      asked = false;
      refresh().catch(complain);
    }, GATHER_MS);
  };

  bus.on('progress', (entry) => {
    if (entry.event.kind === 'submitted') return refreshSoon();
    const old = known.get(entry.job_id);
    const { event, job_id: id, ...state } = entry;
    // The error and the pictures of a job that ended are in the job, not in the event.
    if (!old || !isLive(entry)) load(id).catch(complain);
    if (!old || !isLive(entry)) return;
    const news = old.seq < entry.seq;
    // A list that was asked for meanwhile may know the newer state, but not the picture that the event tells of.
    if (news || event.kind !== 'metric') listenersOf(event.kind).forEach((listener) => listener(id, event));
    if (!news) return;
    known.set(id, { ...old, ...state });
    changed();
  });

  const ask = async (id, wish) => {
    keep(await post(`api/jobs/${id}/${wish}`));
    bus.tell('resync');
    changed();
  };

  bus.on('connection', (up) => up && refresh().catch(complain));
  bus.on('resync', () => refresh().catch(complain));

  return {
    list,
    get: (id) => known.get(id),
    refresh,
    more,
    hasMore: () => cursor !== null,
    ask,
    onChange: (listener) => {
      listeners.add(listener);
      changed();
      return () => listeners.delete(listener);
    },
    onEnd: (listener) => endListeners.add(listener),
    onEvent: (kind, listener) => kinds.set(kind, [...listenersOf(kind), listener]),
  };
})();

const STATUS = {
  queued: ['Waiting', ''],
  running: ['Running', 'live'],
  cancelling: ['Cancelling', 'warn'],
  completed: ['Done', 'good'],
  failed: ['Failed', 'bad'],
  cancelled: ['Cancelled', ''],
};

const numbers = (job) =>
  [
    job.total_steps > 0 && job.type === 'training' && `Step ${job.current_step} of ${job.total_steps}`,
    typeof job.loss === 'number' && `Loss ${job.loss.toFixed(4)}`,
    job.status === 'running' && job.eta_seconds > 0 && `About ${duration(job.eta_seconds)} left`,
  ].filter(Boolean);

const jobActions = (job) => {
  const wish = (label, name, look) =>
    button(label, () => jobs.ask(job.id, name), { look, small: true, name: `${label}: ${job.title || job.id}` });
  if (job.status === 'failed' || job.status === 'cancelled') return [wish('Try again', 'retry', '')];
  if (job.status === 'queued') return [wish('Cancel', 'cancel', 'danger')];
  if (job.status !== 'running') return [];
  const stop = job.type === 'training' && !job.stop_asked && job.current_step > 0;
  return [stop && wish('Stop and keep', 'stop', ''), wish('Cancel', 'cancel', 'danger')].filter(Boolean);
};

// A job as a card. Only what changed is drawn again, so that a focused button stays focused.
const jobCard = (first, { open, figures: told = numbers, wishes = () => [] } = {}) => {
  const message = h('p', { class: 'isg-job-message' });
  const fill = h('i');
  const bar = h('div', { class: 'isg-bar', role: 'progressbar', 'aria-valuemin': 0, 'aria-valuemax': 100 }, fill);
  const figures = h('div', { class: 'isg-figures' });
  const status = h('span', {});
  const trouble = h('div', { class: 'isg-trouble', role: 'note' });
  const actions = h('div', { class: 'isg-actions' });
  const title = open
    ? h('button', { type: 'button', class: 'isg-bare isg-job-title', onclick: () => open(first) })
    : h('strong', { class: 'isg-job-title' });
  const node = h(
    'article',
    { class: 'isg-job', 'data-job': first.id },
    h('header', {}, title, status),
    message,
    bar,
    figures,
    trouble,
    actions,
  );
  let shape = '';
  const update = (job) => {
    title.textContent = job.title || job.id;
    message.textContent = job.status === 'failed' ? '' : job.message;
    fill.style.width = `${job.progress}%`;
    bar.setAttribute('aria-valuenow', Math.round(job.progress));
    bar.setAttribute('aria-label', `Progress of ${job.title || job.id}`);
    bar.hidden = !isLive(job);
    bar.classList.toggle('waiting', job.status === 'running' && job.progress === 0);
    figures.replaceChildren(...told(job).map((text) => h('span', {}, text)));
    const next = [job.status, job.stop_asked, job.current_step > 0, job.error?.message].join();
    if (next === shape) return;
    shape = next;
    node.dataset.status = job.status;
    status.replaceChildren(pill(...STATUS[job.status]));
    trouble.hidden = !job.error;
    trouble.replaceChildren(...(job.error ? [h('strong', {}, job.error.message), h('p', {}, job.error.hint)] : []));
    actions.replaceChildren(...wishes(job), ...jobActions(job));
  };
  update(first);
  return { node, update };
};

// Keeps a list of cards in step with a list of jobs.
const jobCards = (holder, options) => {
  const cards = new Map();
  return (list) => {
    const wanted = new Set(list.map((job) => job.id));
    for (const [id, card] of cards) {
      if (wanted.has(id)) continue;
      card.node.remove();
      cards.delete(id);
    }
    list.forEach((job, place) => {
      if (cards.has(job.id)) cards.get(job.id).update(job);
      else cards.set(job.id, jobCard(job, options));
      const { node } = cards.get(job.id);
      if (holder.children[place] !== node) holder.insertBefore(node, holder.children[place] || null);
    });
  };
};

const openJob = (job) => {
  closeDrawer();
  if (job.type === 'training') focusTraining(job.id);
  if (job.type === 'synthetic') openCharacter(job.character_id);
  showTab({ training: 'training', download: 'models', synthetic: 'characters' }[job.type] || 'image');
};

const drawer = () => document.getElementById('jobs-drawer');
const drawerOpen = () => drawer()?.matches('.open') || drawer()?.querySelector('.sidebar.open');
const toggleDrawer = () => drawer()?.querySelector('.toggle-button')?.click();
const closeDrawer = () => drawerOpen() && toggleDrawer();

views.drawer = (element) => {
  const holder = h('div', { class: 'isg-stack' });
  const empty = emptyState({
    iconName: 'jobs',
    title: 'Nothing to do',
    text: 'Trainings and pictures in the making are listed here. They go on when you close the page.',
  });
  const more = button('Show older jobs', jobs.more, { look: 'quiet' });
  const close = button('', closeDrawer, { iconName: 'close', look: 'round', name: 'Close the jobs', id: 'jobs-close' });
  element.replaceChildren(h('div', { class: 'isg-bar-row' }, h('h2', {}, 'Jobs'), close), empty, holder, more);
  const draw = jobCards(holder, { open: openJob });
  jobs.onChange((list) => {
    empty.hidden = list.length > 0;
    more.hidden = !jobs.hasMore();
    draw(list);
  });
};

views.status = (element) => {
  const text = h('span', { class: 'isg-status-text', role: 'status' });
  const dot = h('i', { class: 'isg-dot', 'aria-hidden': 'true' });
  const badge = h('b', { class: 'isg-badge' });
  const opener = button('Jobs', toggleDrawer, { iconName: 'jobs', id: 'jobs-open' });
  opener.append(badge);
  element.replaceChildren(h('div', { class: 'isg-status' }, h('span', { class: 'isg-state' }, dot, text), opener));
  let connected = true;
  const draw = (list) => {
    const live = list.filter(isLive);
    const running = live.find((job) => job.status !== 'queued');
    const doing = { training: `Training ${running?.title.split(':')[0]}`, download: 'Downloading', synthetic: 'Synthetic pictures' }[running?.type] || 'Drawing';
    const state = running ? `${doing}: ${Math.round(running.progress)} %` : 'Ready';
    text.textContent = connected ? (!running && live.length ? 'Waiting to start' : state) : 'Connecting again…';
    dot.className = `isg-dot ${connected ? (live.length ? 'live' : 'good') : 'bad'}`;
    badge.textContent = live.length || '';
    badge.hidden = live.length === 0;
  };
  jobs.onChange(draw);
  bus.on('connection', (up) => {
    connected = up;
    draw(jobs.list());
  });
};
