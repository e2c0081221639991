// Synthetic pictures of a character: asking for them, sorting them by thresholds or by hand, taking them for training.

const RELOAD_MS = 600; // between two looks while pictures come in
const SOURCES = {
  proto_lora: 'Quick LoRA: train it on the photos, then draw',
  augmentation: 'Variations of the photos, without a model',
  instruct_edit: 'A model that edits the photos by words',
  face_adapter: 'A face adapter on the base model',
};
const REASONS = {
  no_face: 'no face',
  several_faces: 'several faces',
  small_face: 'face too small',
  not_alike: 'not alike',
  copy_of_reference: 'copy of a photo',
  near_duplicate: 'near-duplicate',
  blurred: 'blurred',
  plain: 'plain',
  by_hand: 'by hand',
};
const LIMITS = [
  ['similarity_threshold', 'Likeness, at least', 0, 1, 'On photographs 0.7 and more is the same person.'],
  ['min_sharpness', 'Face sharpness, at least', 0, 1, ''],
  ['copy_threshold', 'Alike to a photo, less than', 0.5, 1, 'Higher: closer copies of your photos pass.'],
  ['duplicate_threshold', 'Alike to each other, less than', 0.5, 1, 'Higher: more repeats pass.'],
];
const share = (value) => (typeof value === 'number' ? value.toFixed(2) : 'not known');

const slider = (id, label, [least, most, step], value, hint, moved) => {
  const said = h('output', { for: id }, String(value));
  const input = h('input', { type: 'range', id, min: least, max: most, step, value });
  const node = h('label', { class: 'isg-slider' }, h('span', {}, label, said), input, hint && h('small', {}, hint));
  const set = (next) => {
    input.value = next;
    said.textContent = Number(step) < 1 ? Number(next).toFixed(2) : next;
  };
  set(value);
  input.addEventListener('input', () => {
    set(input.value);
    moved(Number(input.value));
  });
  return { node, input, set };
};

// Asks for pictures; what is refused is said beside the button by the one who calls.
const expansionForm = (character, ways, started) => {
  const wanted = slider('synthetic-count', 'Pictures to accept', [5, 200, 5], 50, '', () => {});
  const source = h(
    'select',
    { id: 'synthetic-source' },
    h('option', { value: 'auto' }, 'The best that works here'),
    ways.map((way) =>
      h('option', { value: way.name, disabled: !way.available }, `${SOURCES[way.name] || way.name}${way.available ? '' : ' (not here)'}`),
    ),
  );
  const seed = h('input', { type: 'number', id: 'synthetic-seed', min: 0, max: 2147483647, value: 42 });
  const dry = h('input', { type: 'checkbox', id: 'synthetic-dry' });
  const lacking = ways.filter((way) => !way.available);
  const start = button(
    'Make synthetic pictures',
    async () => {
      const json = { target_count: Number(wanted.input.value), seed_start: Number(seed.value), dry_run: dry.checked };
      if (!dry.checked) json.source = source.value;
      await post(`api/characters/${character.id}/synthetic`, json);
      await started();
    },
    { look: 'primary', iconName: 'spark', id: 'synthetic-start' },
  );
  return h(
    'div',
    { class: 'isg-stack', id: 'synthetic-form' },
    wanted.node,
    h('div', { class: 'isg-fields' }, field('Made by', source), field('Seed', seed, 'The same seed makes the same pictures.')),
    h('label', { class: 'isg-check' }, dry, h('span', {}, 'Dry run: variations of the photos, no image model')),
    lacking.length > 0 &&
      h(
        'details',
        { class: 'isg-note' },
        h('summary', {}, 'What is not here, and what to do'),
        h('ul', {}, lacking.map((way) => h('li', {}, h('strong', {}, SOURCES[way.name] || way.name), ` ${way.reason} ${way.hint}`))),
      ),
    h('div', { class: 'isg-actions' }, start),
  );
};

const verdictOf = (picture) => {
  if (picture.in_dataset) return ['In training', 'good'];
  if (picture.decision === 'keep') return ['Kept by hand', 'good'];
  if (picture.passed) return ['Accepted', 'good'];
  if (picture.decision === 'reject') return ['Rejected by hand', 'bad'];
  return [REASONS[picture.reasons[0]] || 'Rejected', 'bad'];
};

const pictureFacts = (picture) => {
  const scores = picture.scores;
  return h(
    'div',
    { class: 'isg-stack tight' },
    h(
      'dl',
      { class: 'isg-facts column' },
      fact('Faces', String(scores.faces)),
      fact('Likeness', share(scores.similarity)),
      fact('Raw cosine', share(scores.cosine)),
      fact('Sharpness', share(scores.sharpness)),
      fact('Alike to a photo', share(scores.copy_score)),
      fact('Alike to one before', share(picture.duplicate_score)),
      fact('Seed', String(picture.seed)),
      fact('Made by', picture.source.replace('_', ' ')),
      fact('Caption', picture.caption),
      picture.reasons.length > 0 && fact('Fails at', picture.reasons.map((reason) => REASONS[reason]).join(', ')),
    ),
  );
};

const syntheticTile = (first, { decide, move }) => {
  let picture = first;
  const image = h('img', { src: url(`${first.url.slice(1)}?size=thumb`), alt: '', loading: 'lazy' });
  const badge = h('span', {});
  const score = h('small', {});
  const word = (decision) => decide(picture, picture.decision === decision ? null : decision);
  const keep = button('', () => word('keep'), { iconName: 'check', look: 'round', name: 'Keep' });
  const reject = button('', () => word('reject'), { iconName: 'close', look: 'round', name: 'Reject' });
  const large = () => {
    const full = h('img', { src: url(picture.url.slice(1)), alt: picture.caption, class: 'isg-large' });
    const open = dialog('Synthetic picture', h('div', { class: 'isg-detail' }, h('div', {}, full), pictureFacts(picture)), { wide: true });
    open.node.addEventListener('keydown', (event) => onKey(event) && open.close());
  };
  const show = h('button', { type: 'button', class: 'isg-bare isg-thumb', onclick: large }, image);
  const node = h(
    'figure',
    { class: 'isg-tile isg-synthetic', 'data-id': first.id },
    show,
    h('figcaption', {}, h('span', { class: 'isg-tile-foot' }, badge, score), h('span', { class: 'isg-choice' }, keep, reject)),
  );
  const onKey = (event) => {
    const work = { k: () => word('keep'), r: () => word('reject'), ArrowRight: () => move(node, 1), ArrowLeft: () => move(node, -1) }[event.key];
    if (!work || event.ctrlKey || event.metaKey || event.altKey) return false;
    event.preventDefault();
    Promise.resolve(work()).catch(complain);
    return true;
  };
  node.addEventListener('keydown', onKey);
  const update = (next) => {
    picture = next;
    node.dataset.passed = next.passed;
    const [text, look] = verdictOf(next);
    badge.replaceChildren(pill(text, look));
    score.textContent = typeof next.scores.similarity === 'number' ? share(next.scores.similarity) : '';
    score.title = 'Likeness';
    show.setAttribute('aria-label', `${text}: ${next.caption}. K keeps, R rejects, arrows go on.`);
    keep.setAttribute('aria-pressed', next.decision === 'keep');
    reject.setAttribute('aria-pressed', next.decision === 'reject');
  };
  update(first);
  return { node, update, focus: () => show.focus() };
};

// How often each value of the shot catalogue is among the accepted pictures.
const balance = (coverage) =>
  Object.entries(coverage).map(([axis, values]) =>
    fact(axis.replaceAll('_', ' '), Object.entries(values).map(([value, number]) => `${value} ${number}`).join(' · ')),
  );

// The grid keeps its tiles, so that a re-sort moves pictures and a focused one stays focused.
const syntheticGrid = (decide) => {
  const tiles = new Map();
  const grid = h('div', { class: 'isg-tiles', id: 'synthetic-grid' });
  const move = (node, by) => {
    const next = [...grid.children][[...grid.children].indexOf(node) + by];
    if (next) tiles.get(next.dataset.id).focus();
  };
  const draw = (pictures) => {
    const held = document.activeElement?.closest?.('#synthetic-grid .isg-tile');
    const place = held ? [...grid.children].indexOf(held) : -1;
    const wanted = new Set(pictures.map((picture) => picture.id));
    for (const picture of pictures) {
      if (tiles.has(picture.id)) tiles.get(picture.id).update(picture);
      else tiles.set(picture.id, syntheticTile(picture, { decide, move }));
    }
    for (const [id, tile] of tiles) wanted.has(id) || (tile.node.remove(), tiles.delete(id));
    pictures.forEach((picture, at) => {
      const { node } = tiles.get(picture.id);
      if (grid.children[at] !== node) grid.insertBefore(node, grid.children[at] || null);
    });
    if (!held || grid.contains(document.activeElement)) return;
    const here = tiles.get(held.dataset.id) || tiles.get(grid.children[Math.min(place, grid.children.length - 1)]?.dataset.id);
    here?.focus();
  };
  return { grid, draw };
};

const syntheticSection = (character, taken) => {
  const path = `api/characters/${character.id}/synthetic`;
  const toggle = h('input', { type: 'checkbox', role: 'switch', id: 'synthetic-toggle', class: 'isg-switch' });
  const form = h('div', { hidden: true });
  const running = h('div', {});
  const stats = h('div', { class: 'isg-pills', id: 'synthetic-stats', role: 'status' });
  const shots = h('dl', { class: 'isg-facts column' });
  const made = h('div', { class: 'isg-stack', hidden: true, id: 'synthetic-made' });
  let shown = null;
  let only = 'all';
  let turn = 0;
  let card = null;

  const draw = (next) => {
    shown = next;
    const { generated, passed, rejected, rejected_by_reason: why } = next.counts;
    made.hidden = generated === 0;
    stats.replaceChildren(
      pill(`${generated} made`),
      pill(`${passed} accepted`, 'good'),
      pill(`${rejected} rejected`, rejected ? 'bad' : ''),
      ...Object.entries(why).map(([reason, number]) => pill(`${number} ${REASONS[reason] || reason}`)),
    );
    limits.forEach(({ name, set, input }) => document.activeElement === input || set(next.thresholds[name]));
    filters.forEach(({ node, name, number }) => {
      node.lastChild.textContent = `${name} (${number(next.counts)})`;
      node.setAttribute('aria-pressed', node.dataset.only === only);
    });
    const own = next.reference_score;
    if (own) limits[0].node.lastChild.textContent = `On photographs 0.7 and more is the same person. Your photos reach ${share(own)}.`;
    shots.replaceChildren(...balance(next.coverage));
    const order = [...next.pictures.filter((one) => one.passed), ...next.pictures.filter((one) => !one.passed)];
    tiles.draw(order.filter((one) => only === 'all' || one.passed === (only === 'accepted')));
    const fresh = next.pictures.filter((one) => one.passed && !one.in_dataset).length;
    use.lastChild.textContent = fresh ? `Use ${fresh} for training` : 'All accepted ones are in training';
    use.disabled = fresh === 0;
    use.classList.toggle('primary', fresh > 0);
  };
  const reload = async () => {
    const mine = ++turn;
    const next = await get(path);
    if (mine === turn) draw(next);
  };
  const change = async (where, json) => {
    const mine = ++turn; // an answer that comes after a newer question is dropped
    const next = await patch(where, json);
    if (mine === turn) draw(next);
  };
  const decide = (picture, decision) => change(`${path}/${picture.id}`, { decision });
  const tiles = syntheticGrid(decide);

  // While a slider is dragged, one question is under way at a time, and the newest place is asked for next.
  let moved = null;
  let sifting = false;
  const sift = async (limit) => {
    moved = { ...moved, ...limit };
    if (sifting) return;
    sifting = true;
    try {
      while (moved) {
        const next = moved;
        moved = null;
        await change(path, next);
      }
    } finally {
      sifting = false;
    }
  };
  const limits = LIMITS.map(([name, label, least, most, hint]) => {
    const one = slider(`synthetic-${name}`, label, [least, most, 0.01], most, hint, (value) => {
      sift({ [name]: value }).catch(complain);
    });
    return { name, ...one };
  });
  const filters = [
    ['all', 'All', (counts) => counts.generated],
    ['accepted', 'Accepted', (counts) => counts.passed],
    ['rejected', 'Rejected', (counts) => counts.rejected],
  ].map(([which, name, number]) => {
    const node = button(name, () => ((only = which), draw(shown)), { small: true, id: `synthetic-${which}` });
    node.dataset.only = which;
    return { node, name, number };
  });
  const use = button(
    'Use for training',
    async () => {
      const done = await post(`${path}/use`, {});
      toast('Ready to train', `${count(done.added, 'picture', 'pictures')} added to the training set.`);
      changedElsewhere();
      await taken();
    },
    { look: 'primary', iconName: 'train', id: 'synthetic-use' },
  );
  const clear = button(
    'Delete all',
    () =>
      confirmLoss('Delete the synthetic pictures?', 'Accepted and rejected ones go. Those in the training set stay.', 'Delete', async () => {
        await erase(path);
        await reload();
      }),
    { look: 'danger', iconName: 'trash', id: 'synthetic-clear' },
  );
  made.append(
    stats,
    h('div', { class: 'isg-sliders' }, limits.map((limit) => limit.node)),
    h('div', { class: 'isg-bar-row' }, h('div', { class: 'isg-actions' }, filters.map(({ node }) => node)), h('div', { class: 'isg-actions' }, clear, use)),
    h('p', { class: 'isg-muted' }, 'Sliders sort what is here anew at once. Your own keep (K) or reject (R) counts more than any of them.'),
    tiles.grid,
    h('details', { class: 'isg-note', id: 'synthetic-balance' }, h('summary', {}, 'What the accepted pictures show, and how often'), shots),
  );

  toggle.addEventListener('change', async () => {
    form.hidden = !toggle.checked;
    if (!toggle.checked || form.firstChild) return;
    const ways = await get('api/characters/synthetic/sources').catch(complain);
    if (ways) form.replaceChildren(expansionForm(character, ways.items, jobs.refresh));
  });

  let heard = '';
  let due = 0;
  const soon = (wait) => {
    due = due || setTimeout(() => ((due = 0), reload().catch(complain)), wait);
  };
  const follow = (list) => {
    const job = list.find((one) => one.type === 'synthetic' && one.character_id === character.id);
    if (!job) return;
    if (card?.id !== job.id) {
      card = { id: job.id, ...jobCard(job) };
      running.replaceChildren(card.node);
    }
    card.update(job);
    const now = [job.id, job.status, job.message].join();
    if (now === heard) return;
    heard = now;
    soon(isLive(job) ? RELOAD_MS : 0);
  };
  const node = h(
    'section',
    { class: 'isg-stack isg-synthetics', id: 'synthetic' },
    h(
      'label',
      { class: 'isg-toggle' },
      toggle,
      h('span', {}, h('strong', {}, 'Generate synthetic dataset'), h('small', {}, 'From 1 to 10 photos to a full training set. Only pictures that pass the checks are offered.')),
    ),
    form,
    running,
    made,
  );
  const off = jobs.onChange((list) => {
    if (node.isConnected) follow(list);
    else if (heard) off();
  });
  reload().catch(complain);
  return node;
};
