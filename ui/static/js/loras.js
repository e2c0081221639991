// LoRA versions: what was trained, from what, and what can be done with it.

const loraName = (lora) => `${lora.character_name || lora.character_id} ${lora.version}`.trim();

const noteForm = (lora, done) => {
  const note = h('textarea', { rows: 3, maxlength: 2000, value: lora.note, id: 'lora-note' });
  const trigger = h('input', { type: 'text', maxlength: 60, value: lora.trigger_word, id: 'lora-trigger' });
  const work = async () => {
    await patch(`api/loras/${lora.id}`, { note: note.value, trigger_word: trigger.value });
    done();
  };
  const fields = [field('Note', note, 'What is good or bad about this version.'), field('Trigger word', trigger, 'The word it was trained with.')];
  formDialog(`Notes on ${loraName(lora)}`, fields, 'Save', work, { id: 'lora-form' });
};

const importForm = async (done) => {
  const models = await get('api/models');
  const usable = models.items.filter((item) => item.can_generate).map((item) => item.row);
  const file = h('input', { type: 'file', accept: '.safetensors', id: 'lora-file' });
  const trigger = h('input', { type: 'text', maxlength: 60, id: 'lora-import-trigger' });
  const base = h('select', { id: 'lora-base' }, usable.map((row) => h('option', { value: row.id }, row.name)));
  const work = async () => {
    const form = new FormData();
    if (file.files[0]) form.append('file', file.files[0]);
    form.append('base_model', base.value);
    form.append('trigger_word', trigger.value);
    await rest('POST', 'api/loras', { form });
    done();
  };
  const fields = [
    field('File', file, 'A LoRA in safetensors format. Lists show it under the name of the file.'),
    field('Base model', base, 'The model that it was trained on.'),
    field('Trigger word', trigger, 'The word it was trained with, if it has one.'),
  ];
  formDialog('Import a LoRA', fields, 'Import', work, { id: 'lora-import' });
};

const loraRow = (lora, again) => {
  const facts = [
    lora.base_model,
    lora.steps && `${lora.steps} steps`,
    lora.rank && `rank ${lora.rank}`,
    lora.image_count && count(lora.image_count, 'picture', 'pictures'),
    size(lora.bytes),
    when(lora.created_at),
  ];
  const remove = () =>
    confirmLoss(`Delete ${loraName(lora)}?`, 'The file is deleted. Pictures that were made with it stay.', 'Delete LoRA', async () => {
      await erase(`api/loras/${lora.id}`);
      changedElsewhere();
    });
  const named = (verb) => `${verb} ${loraName(lora)}`;
  return h(
    'article',
    { class: 'isg-lora', 'data-id': lora.id },
    h(
      'div',
      {},
      h('strong', {}, loraName(lora)),
      lora.trigger_word && h('code', {}, lora.trigger_word),
      h('p', { class: 'isg-muted' }, facts.filter(Boolean).join(' · ')),
      lora.note && h('p', {}, lora.note),
    ),
    h(
      'div',
      { class: 'isg-actions' },
      button('Use', () => ask('use', `lora:${lora.id}`), { iconName: 'spark', small: true, name: named('Generate with') }),
      button('Note', () => noteForm(lora, again), { iconName: 'pen', small: true, name: named('Write a note on') }),
      h('a', { class: 'isg-btn small', href: url(`api/loras/${lora.id}/file`), download: '', 'aria-label': named('Download') }, icon('download'), h('span', {}, 'Download')),
      button('Delete', remove, { iconName: 'trash', look: 'danger', small: true, name: named('Delete') }),
    ),
  );
};

views.loras = (element) => {
  const list = h('div', { class: 'isg-stack tight', id: 'loras-list' });
  let cursor = null;
  const add = (page) => {
    cursor = page.next;
    more.hidden = !cursor;
    list.append(...page.items.map((lora) => loraRow(lora, changedElsewhere)));
  };
  const more = button('Show older versions', async () => add(await get(`api/loras?limit=20&cursor=${encodeURIComponent(cursor)}`)));
  const load = async () => {
    const page = await get('api/loras?limit=20');
    list.replaceChildren();
    add(page);
    if (page.total === 0) list.append(h('p', { class: 'isg-muted', id: 'loras-empty' }, 'None yet. A training that ends well leaves one here.'));
  };
  const bring = button('Import a LoRA', () => importForm(changedElsewhere), { iconName: 'upload', id: 'lora-import-open' });
  element.replaceChildren(h('div', { class: 'isg-bar-row' }, h('h2', {}, 'LoRA versions'), bring), list, more);
  bus.on('library', () => load().catch(complain));
  load().catch(complain);
};
