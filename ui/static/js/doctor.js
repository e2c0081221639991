// The Dataset Doctor: what was found in a character's pictures, each with its evidence, mended or ignored by a click.

const CHECKUP_VERDICTS = { ready: ['Ready', 'good'], usable: ['Could be better', 'warn'], not_ready: ['Not ready', 'bad'], examining: ['Looking', ''] };
const FINDING_SEVERITIES = { stop: ['Mend first', 'bad'], warn: ['Worth mending', 'warn'], note: ['Good to know', ''] };
const FIRST_FINDINGS = 3; // findings before one asks for all of them
const MOST_EVIDENCE = 6; // pictures of a finding that are shown; the others are counted

const faceMark = (box) => h('i', { style: ['left', 'top', 'width', 'height'].map((side, n) => `${side}:${(box[n] * 100).toFixed(2)}%`).join(';') });

// One button a picture, with every face that is evidence marked in it.
const evidence = (character, finding, items) => {
  const { image_id: id, filename } = items[0];
  // The picture of an id changes when it is cropped; a finding's id changes with it.
  const path = (wanted) => `${imageUrl(character.id, id, wanted)}&v=${encodeURIComponent(finding.id)}`;
  const note = [...new Set(items.map((item) => item.note).filter(Boolean))].join(', ');
  const large = () => dialog(filename, [h('img', { src: path('full'), alt: filename, class: 'isg-large' }), note && h('p', {}, note)], { wide: true });
  return h(
    'button',
    { type: 'button', class: 'isg-bare isg-evidence', onclick: large, 'aria-label': `Show ${filename} large`, title: note || filename },
    h('span', {}, h('img', { src: path('thumb'), alt: '', loading: 'lazy' }), items.filter((item) => item.box).map((item) => faceMark(item.box))),
  );
};

const findingCard = (character, finding, act) => {
  const [label, look] = FINDING_SEVERITIES[finding.severity];
  const pictures = [...new Set(finding.evidence.map((item) => item.image_id))].map((id) => finding.evidence.filter((item) => item.image_id === id));
  const more = pictures.length - MOST_EVIDENCE;
  const fix = finding.fix && button(finding.fix.label, () => act('fix', finding), { look: 'primary', small: true, name: `${finding.fix.label}: ${finding.title}` });
  const ignore = button(finding.ignored ? 'Take seriously again' : 'Ignore', () => act('ignore', finding), {
    small: true,
    name: `${finding.ignored ? 'Take seriously again' : 'Ignore'}: ${finding.title}`,
  });
  const consent = finding.kind === 'consent_missing' && button('Say whose face it is', () => document.getElementById('character-edit')?.click(), { look: 'primary', small: true });
  return h(
    'li',
    { class: 'isg-finding', 'data-kind': finding.kind, 'data-finding': finding.id },
    h('header', {}, h('strong', {}, finding.title), pill(label, look)),
    pictures.length > 0 &&
      h('div', { class: 'isg-evidences' }, pictures.slice(0, MOST_EVIDENCE).map((items) => evidence(character, finding, items)), more > 0 && h('small', {}, `and ${more} more`)),
    pictures.length === 1 && h('small', { class: 'isg-muted' }, pictures[0][0].filename),
    h('p', {}, finding.reason),
    finding.advice && h('p', { class: 'isg-advice' }, finding.advice),
    h('div', { class: 'isg-actions' }, !finding.ignored && (fix || consent), ignore),
  );
};

const tally = (counts) => Object.entries(counts).map(([name, number]) => `${number} ${name}`).join(', ');

const checkupFacts = ({ person, buckets, variety, licences }) =>
  h(
    'dl',
    { class: 'isg-facts' },
    person && fact('The same person', `${person.agreeing} of ${person.agreeing + person.disagreeing} faces agree, likeness ${person.median_score.toFixed(2)}`),
    buckets.length > 0 && fact('Trained at', buckets.slice(0, 4).map((size) => `${size.pictures} at ${size.width} × ${size.height}`).join(', ')),
    Object.entries(variety).map(([name, counts]) => tally(counts) && fact(name[0].toUpperCase() + name.slice(1), tally(counts))),
    fact('Licences', licences.join('; ')),
  );

const doctor = (character) => {
  const path = `api/characters/${character.id}/doctor`;
  const body = h('div', { class: 'isg-stack' });
  const state = h('span', { role: 'status' });
  let showAll = false;
  let turn = 0; // an answer that comes after a newer question is dropped

  const changed = () => bus.tellHere('dataset', character.id);
  const undo = async () => {
    await post(`api/characters/${character.id}/undo`);
    changed();
    await examine();
  };
  const act = async (what, finding) => {
    const mine = ++turn;
    const asked = { finding: finding.id, ...(what === 'ignore' && { ignored: !finding.ignored }) };
    const report = await post(`${path}/${what}`, asked).catch((error) => {
      examine().catch(complain); // the finding may be another one by now
      throw error;
    });
    if (what === 'fix') {
      changed();
      toast('Done', `${finding.fix.label}: ${finding.title}. Undo takes it back.`);
    }
    if (mine === turn) draw(report, what === 'fix');
  };

  const draw = (report, canUndo) => {
    const [label, look] = CHECKUP_VERDICTS[report.verdict];
    const open = report.findings.filter((finding) => !finding.ignored);
    const ignored = report.findings.filter((finding) => finding.ignored);
    const list = (findings) => h('ul', { class: 'isg-findings' }, findings.map((finding) => findingCard(character, finding, act)));
    const all = button(`Show all ${open.length} findings`, () => {
      showAll = true;
      draw(report, canUndo);
    }, { small: true, id: 'doctor-all' });
    const few = !showAll && open.length > FIRST_FINDINGS;
    node.dataset.verdict = report.verdict;
    state.replaceChildren(pill(label, look), ' ', report.verdict === 'examining' ? `${report.looked_at} of ${count(report.pictures, 'picture', 'pictures')}` : report.headline);
    body.replaceChildren(
      ...[
        open.length > 0 && list(few ? open.slice(0, FIRST_FINDINGS) : open),
        few && h('div', { class: 'isg-actions' }, all),
        ignored.length > 0 && h('details', { class: 'isg-ignored' }, h('summary', {}, `${ignored.length} ignored`), list(ignored)),
        checkupFacts(report),
        canUndo && h('div', { class: 'isg-actions' }, button('Undo the last change', undo, { iconName: 'again', small: true, id: 'doctor-undo' })),
      ].filter(Boolean),
    );
  };

  const examine = async () => {
    const mine = ++turn;
    state.replaceChildren(pill('Looking', ''), ' at the pictures…');
    let report = null;
    do {
      report = await get(path);
      if (mine !== turn || !node.isConnected) return;
      draw(report);
    } while (report.verdict === 'examining');
  };

  const again = button('Examine again', examine, { iconName: 'again', small: true, id: 'doctor-again' });
  const node = h(
    'section',
    { class: 'isg-panel isg-doctor', id: 'doctor', 'aria-label': 'Dataset Doctor' },
    h('header', {}, h('div', {}, h('h3', {}, 'Dataset Doctor'), state), again),
    body,
  );
  bus.on('pictures', (id) => id === character.id && node.isConnected && examine().catch(complain));
  if (character.image_count) setTimeout(() => examine().catch(complain)); // once it is in the page
  else state.textContent = 'Looks at the pictures as soon as there are some.';
  return node;
};
