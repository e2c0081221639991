// Taking in a LoRA from elsewhere: its header says what it is before the whole of it is sent.

const HEADER_LIMIT = 100_000_000; // the format's own

// The first eight bytes tell how long the header is; what is no such file is sent as far as its first bytes go.
const headerOf = async (file) => {
  const start = new DataView(await file.slice(0, 8).arrayBuffer());
  const length = start.byteLength === 8 ? Number(start.getBigUint64(0, true)) : 0;
  return file.slice(0, length > 0 && length <= HEADER_LIMIT ? 8 + length : 64);
};

const inspectFile = async (file) => {
  const form = new FormData();
  form.append('file', await headerOf(file), file.name);
  form.append('size', file.size);
  return rest('POST', 'api/loras/inspect', { form });
};

const importForm = async (done) => {
  const models = await get('api/models');
  const bases = models.items.filter((item) => item.row.kind === 'base_model');
  const file = h('input', { type: 'file', accept: '.safetensors', id: 'lora-file' });
  const trigger = h('input', { type: 'text', maxlength: 60, id: 'lora-import-trigger' });
  const base = h('select', { id: 'lora-base' });
  const verdict = h('div', { class: 'isg-note', id: 'lora-verdict', role: 'status', hidden: true });
  const option = (item) => h('option', { value: item.row.id }, item.can_generate ? item.row.name : `${item.row.name} (not here yet)`);
  const offer = (proposed) => {
    const found = proposed.map((id) => bases.find((item) => item.row.id === id)).filter(Boolean);
    const others = bases.filter((item) => !proposed.includes(item.row.id));
    base.replaceChildren(
      ...(found.length > 0 ? [h('optgroup', { label: 'Told by the file' }, found.map(option)), h('optgroup', { label: 'Others' }, others.map(option))] : others.map(option)),
    );
  };
  const say = (look, title, text) => {
    verdict.className = `isg-note ${look}`.trim();
    verdict.replaceChildren(h('strong', {}, title), h('p', {}, text));
    verdict.hidden = false;
  };
  const look = async () => {
    verdict.hidden = true;
    if (!file.files[0]) return;
    try {
      const report = await inspectFile(file.files[0]);
      offer(report.base_models);
      if (!trigger.value) trigger.value = report.trigger_word;
      say(report.certain ? 'plan' : 'warn', report.summary, report.doubt || 'The base model below follows from the file.');
    } catch (error) {
      offer([]);
      say('warn', error.message, error.hint);
    }
  };
  file.addEventListener('change', look);
  offer([]);
  const work = async () => {
    const form = new FormData();
    if (file.files[0]) form.append('file', file.files[0]);
    form.append('base_model', base.value);
    form.append('trigger_word', trigger.value);
    await rest('POST', 'api/loras', { form });
    done();
  };
  const fields = [
    field('File', file, 'A LoRA in safetensors format. Pickled files (.pt, .ckpt) are refused: opening one can run a program.'),
    verdict,
    field('Base model', base, 'The model that it was trained on.'),
    field('Trigger word', trigger, 'The word it was trained with, if it has one.'),
  ];
  formDialog('Import a LoRA', fields, 'Import', work, { id: 'lora-import' });
};
