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
    likeness(output),
  );

const outputFacts = (output) => {
  const set = output.settings;
  const loras = (set.loras || []).map((use) => `${loraLabels.get(use.id) || use.id} at ${use.strength}`).join(', ');
  const scored = typeof output.similarity === 'number';
  const score = scored
    ? `${percent(output.similarity)} (${output.similarity >= SAME_PERSON ? 'the same person' : 'not sure that it is the same person'}; raw cosine ${output.cosine})`
    : 'Not scored: no face was found, or there is no character to compare with';
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
    ['Made', when(output.created_at)],
    ['File', output.path],
  ].filter(([, value]) => value !== '' && value !== null && value !== undefined);
};

const loraLabels = new Map();
const learnLabels = async () => (await get('api/loras?limit=200')).items.forEach((lora) => loraLabels.set(lora.id, loraName(lora)));

const showOutput = async (output, all) => {
  await learnLabels().catch(complain);
  const body = h('div', { class: 'isg-detail' });
  const open = dialog('Picture', body, { wide: true, id: 'output-detail' });
  let place = all.findIndex((one) => one.id === output.id);
  const draw = () => {
    const one = all[place];
    const name = `${one.id}.png`;
    const again = () => (ask('again', one.id), open.close());
    const gone = () =>
      confirmLoss('Delete this picture?', 'The file is deleted for good.', 'Delete picture', async () => {
        await erase(`api/outputs/${encodeURIComponent(one.id)}`);
        open.close();
        bus.tell('outputs');
      });
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
        h(
          'div',
          { class: 'isg-actions' },
          button('Use these settings again', again, { look: 'primary', iconName: 'again', id: 'output-again' }),
          h('a', { class: 'isg-btn', href: outputUrl(one, 'full'), download: name, id: 'output-download' }, icon('download'), h('span', {}, 'Download')),
          button('Delete', gone, { iconName: 'trash', look: 'danger', id: 'output-delete' }),
        ),
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
