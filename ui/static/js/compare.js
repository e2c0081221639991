// Checkpoints and versions side by side: the same words, the same seed, so that a person can choose the best.

const COMPARED = 8; // columns that are ticked at first
const PROMPTS = 4;

const siblings = async (lora) => {
  const [kept, page] = await Promise.all([
    lora.job_id ? get(`api/checkpoints?job_id=${encodeURIComponent(lora.job_id)}`) : { items: [] },
    get(`api/loras?character_id=${encodeURIComponent(lora.character_id)}&limit=50`),
  ]);
  const versions = page.items.filter((one) => one.base_model === lora.base_model);
  const others = versions.filter((one) => one.id !== lora.id);
  return { checkpoints: kept.items, versions: [lora, ...others] };
};

const compareName = (lora) => (lora.checkpoint === null ? loraName(lora) : `Step ${lora.checkpoint}`);

const makeVersion = (checkpoint) =>
  button(
    'Make it a version',
    async () => {
      const made = await post(`api/checkpoints/${encodeURIComponent(checkpoint.id)}/version`);
      changedElsewhere();
      toast(`${loraName(made)} is a version now.`, 'It is the newest of its character, so it is used from here on.');
    },
    { small: true, iconName: 'plus', name: `Make step ${checkpoint.checkpoint} a version` },
  );

const tickOf = (lora, ticked) => {
  const box = h('input', { type: 'checkbox', value: lora.id });
  box.checked = ticked;
  return h('label', { class: 'isg-check' }, box, h('span', {}, compareName(lora)), typeof lora.likeness === 'number' && likenessOf(lora));
};

const startWords = (lora) => {
  const own = (lora.config?.sample_prompts || []).slice(0, PROMPTS);
  return own.length > 0 ? own.join('\n') : `a photo of ${lora.trigger_word || 'a person'}`;
};

const compareRequest = (chosen, prompts, seed, strength) => ({
  prompt: prompts[0],
  base_model: chosen[0].base_model,
  loras: [{ id: chosen[0].id, strength }],
  seed,
  grid: {
    x: { field: 'lora', values: chosen.map((lora) => lora.id) },
    y: prompts.length > 1 ? { field: 'prompt', values: prompts } : null,
  },
});

// Under each column: how alike its pictures are, and what to do with it.
const judge = (node, chosen, outputs) => {
  const scores = chosen.map((_, column) =>
    outputs.filter((output) => output.cell?.[0] === column && typeof output.similarity === 'number').map((output) => output.similarity),
  );
  const means = scores.map((found) => (found.length > 0 ? found.reduce((sum, score) => sum + score, 0) / found.length : null));
  const best = Math.max(...means.filter((mean) => mean !== null));
  node.querySelectorAll('th[scope=col]').forEach((head, column) => {
    head.querySelectorAll('.isg-judged').forEach((old) => old.remove());
    const mean = means[column];
    const said = mean === null ? null : pill(`Likeness ${percent(mean)}`, mean === best ? 'good' : 'plain');
    head.append(h('div', { class: 'isg-judged' }, said, chosen[column].checkpoint !== null && makeVersion(chosen[column])));
  });
};

const watchComparison = (job, chosen, place) => {
  const card = makingCard(job);
  place.replaceChildren(card.node);
  const here = () => place.isConnected;
  judge(card.node, chosen, []);
  jobs.onChange((list) => {
    const now = here() && list.find((one) => one.id === job.id);
    if (!now) return;
    card.update(now);
    if (now.outputs?.length) judge(card.node, chosen, now.outputs);
  });
  jobs.onEvent('preview', (id, event) => here() && id === job.id && event.url && card.preview(event.index, event.url));
  jobs.onEvent('picture', (id, event) => here() && id === job.id && fetched(id, event.index, card).catch(complain));
};

const compareLoras = async (lora) => {
  const { checkpoints, versions } = await siblings(lora);
  const all = [...checkpoints, ...versions];
  all.forEach((one) => loraLabels.set(one.id, compareName(one)));
  const first = [...checkpoints.slice(-(COMPARED - 1)), lora];
  const ticks = all.map((one) => tickOf(one, first.includes(one) || (checkpoints.length === 0 && versions.indexOf(one) < COMPARED)));
  const prompts = h('textarea', { rows: 2, id: 'compare-prompts', value: startWords(lora) });
  const seed = h('input', { type: 'number', min: 0, max: 4294967295, step: 1, value: 1, id: 'compare-seed' });
  const strength = h('input', { type: 'number', min: -4, max: 4, step: 0.1, value: 1, id: 'compare-strength' });
  const place = h('div', { class: 'isg-stack', id: 'compare-result' });
  const draw = button(
    'Draw them side by side',
    async () => {
      const chosen = all.filter((one, i) => ticks[i].querySelector('input').checked);
      const lines = prompts.value.split('\n').map((line) => line.trim()).filter(Boolean).slice(0, PROMPTS);
      if (chosen.length < 2) throw new Refused({ detail: 'One alone cannot be compared.', hint: 'Tick two or more.' });
      if (lines.length === 0) throw new Refused({ detail: 'There are no words to draw.', hint: 'Write a prompt.' });
      const request = compareRequest(chosen, lines, Number(seed.value) || 0, Number(strength.value));
      const job = await post('api/generation', request);
      watchComparison(job, chosen, place);
      await jobs.refresh();
    },
    { look: 'primary', iconName: 'grid', id: 'compare-draw' },
  );
  const column = (title, found, hint) =>
    found.length > 0 && h('fieldset', { class: 'isg-ticks' }, h('legend', {}, title), ticks.filter((_, i) => found.includes(all[i])), hint && h('small', {}, hint));
  const form = h(
    'div',
    { class: 'isg-form' },
    column('Checkpoints of its training', checkpoints),
    column('Versions', versions),
    field('Prompts', prompts, `One a line, at most ${PROMPTS}; each is a row.`),
    h('div', { class: 'isg-side' }, field('Seed', seed, 'The same for every picture.'), field('Strength', strength, 'Of each LoRA.')),
    h('div', { class: 'isg-actions' }, draw),
  );
  dialog(`Compare ${loraName(lora)}`, [form, place], { wide: true, id: 'lora-compare' });
};

// The training that is looked at: its version, with the checkpoints on the way to it.
const compareTraining = async (job) => {
  const page = await get(`api/loras?character_id=${encodeURIComponent(job.character_id)}&limit=50`);
  const lora = page.items.find((one) => one.job_id === job.id && one.from_checkpoint === null);
  if (!lora) throw new Refused({ detail: 'The version of this training is not there any more.', hint: 'It may be in the trash.' });
  await compareLoras(lora);
};
