// One generated picture: its tile, and everything about it.

const SAME_PERSON = 0.7; // the calibrated score's own meaning: from here on, the same person

const outputUrl = (output, wanted) => url(`api/outputs/${encodeURIComponent(output.id)}/file?size=${wanted}`);
const percent = (score) => `${Math.round(score * 100)} %`;

const likeness = (output) => {
  if (typeof output.similarity !== 'number') return null;
  const good = output.similarity >= SAME_PERSON;
  const node = pill(`Likeness ${percent(output.similarity)}`, good ? 'good' : 'plain');
  node.dataset.similarity = output.similarity;
  return node;
};

const outputTile = (output, all) =>
  h(
    'button',
    {
      type: 'button',
      class: 'isg-output',
      'data-id': output.id,
      'aria-label': `Show the picture of seed ${output.seed}: ${output.prompt.slice(0, 80)}`,
      onclick: () => showOutput(output, all),
    },
    h('img', { src: outputUrl(output, 'thumb'), alt: '', loading: 'lazy', width: 320, height: 320 }),
    output.cell && pill('Grid', 'corner'),
    likeness(output),
  );

const unscored = (output) =>
  typeof output.cosine === 'number'
    ? `Raw cosine ${output.cosine}; ${output.face_backend} has no scale for drawings`
    : 'Not scored: no face was found, or there is no character to compare with';

const outputFacts = (output) => {
  const set = output.settings;
  const loras = (set.loras || []).map((use) => `${loraLabel(use.id)} at ${use.strength}`).join(', ');
  const scored = typeof output.similarity === 'number';
  const verdict = output.similarity >= SAME_PERSON ? 'the same person' : 'not sure that it is the same person';
  const meaning = output.drawn ? `${verdict}, by a scale for drawings` : verdict;
  const score = scored
    ? `${percent(output.similarity)} (${meaning}; raw cosine ${output.cosine})`
    : unscored(output);
  return [
    ['Prompt', set.prompt],
    ['Negative prompt', set.negative_prompt],
    ['Likeness', score],
    ['LoRA', loras || 'None'],
    ['Base model', set.base_model],
    ['Seed', String(output.seed)],
    ['Size', `${output.width} × ${output.height}`],
    ['Steps', set.steps],
    ['Guidance', set.guidance_scale],
    ['Sampler', set.sampler],
    ['Scheduler', set.scheduler],
    ['Workflow', set.workflow],
    ['Started from', set.init_image],
    ['Denoise', set.init_image && set.denoise],
    ['Upscaled by', set.upscale_by],
    ['Made', when(output.created_at)],
    ['File', output.path],
  ].filter(([, value]) => value !== '' && value !== null && value !== undefined);
};

const loraLabels = new Map();
const loraLabel = (id) => loraLabels.get(id) || id.replace(/^.*\.step-(\d+)$/, 'Checkpoint of step $1');
const learnLabels = async () => (await get('api/loras?limit=200')).items.forEach((lora) => loraLabels.set(lora.id, loraName(lora)));

// What a base model can do is asked once; it changes only when something is installed.
const tasksOf = (() => {
  const known = new Map();
  return async (base) => {
    if (!known.has(base)) known.set(base, get(`api/generation/abilities?base_model=${encodeURIComponent(base)}`).then((able) => able.tasks, () => []));
    return known.get(base);
  };
})();

const outputActions = (one, close) => {
  const then = (what, value) => () => (ask(what, value), close());
  const gone = () =>
    confirmLoss('Delete this picture?', 'The file is deleted for good.', 'Delete picture', async () => {
      await erase(`api/outputs/${encodeURIComponent(one.id)}`);
      close();
      bus.tell('outputs');
    });
  const start = button('Start from this picture', then('start', one.id), { iconName: 'picture', id: 'output-start' });
  const enlarge = button('Make larger', then('enlarge', one.id), { iconName: 'larger', id: 'output-enlarge' });
  start.hidden = enlarge.hidden = true;
  tasksOf(one.settings.base_model || '').then((tasks) => {
    start.hidden = !tasks.includes('img2img') && !startAble;
    enlarge.hidden = !tasks.includes('upscale');
  });
  return h(
    'div',
    { class: 'isg-actions' },
    button('Use these settings again', then('again', one.id), { look: 'primary', iconName: 'again', id: 'output-again' }),
    button('Use its seed', then('seed', String(one.seed)), { iconName: 'seed', id: 'output-seed' }),
    start,
    enlarge,
    one.cell && button('Show the grid', () => (close(), showGrid(one.job_id)), { iconName: 'grid', id: 'output-grid' }),
    h('a', { class: 'isg-btn', href: outputUrl(one, 'full'), download: `${one.id}.png`, id: 'output-download' }, icon('download'), h('span', {}, 'Download')),
    button('Delete', gone, { iconName: 'trash', look: 'danger', id: 'output-delete' }),
  );
};

const showOutput = async (output, all) => {
  await learnLabels().catch(complain);
  const body = h('div', { class: 'isg-detail' });
  const open = dialog('Picture', body, { wide: true, id: 'output-detail' });
  let place = all.findIndex((one) => one.id === output.id);
  const draw = () => {
    const one = all[place];
    body.replaceChildren(
      h(
        'div',
        { class: 'isg-stage' },
        h('img', { src: outputUrl(one, 'full'), alt: one.prompt, class: 'isg-large' }),
        place > 0 && button('', () => move(-1), { iconName: 'back', look: 'round before', name: 'Newer picture' }),
        place < all.length - 1 && button('', () => move(1), { iconName: 'next', look: 'round after', name: 'Older picture' }),
      ),
      h(
        'div',
        { class: 'isg-stack' },
        h('dl', { class: 'isg-facts column' }, outputFacts(one).map(([key, value]) => fact(key, value))),
        outputActions(one, open.close),
      ),
    );
  };
  const move = (step) => {
    if (!all[place + step]) return;
    place += step;
    draw();
  };
  open.node.addEventListener('keydown', (event) => {
    if (event.key === 'ArrowLeft') move(-1);
    if (event.key === 'ArrowRight') move(1);
  });
  draw();
};
