// Whose face it is: stated once, in words that are recorded with who said them and when.

const CONSENT = [
  ['self', 'It is me', 'These are pictures of me.'],
  [
    'with_permission',
    'Someone who gave permission',
    'The person in these pictures gave permission to train a model of their face and to make pictures with it.',
  ],
  ['fictional', 'Nobody: a fictional character', 'The character in these pictures is fictional: no real person is shown.'],
];

const consentName = (kind) => CONSENT.find(([value]) => value === kind)?.[1] || 'Not stated yet';

const consentFact = (character) => {
  const record = character.consent_record;
  const by = record && [record.by && `stated by ${record.by}`, when(record.stated_at)].filter(Boolean).join(', ');
  return by ? `${consentName(character.consent)} (${by})` : consentName(character.consent);
};

const consentDialog = (character, done) => {
  const record = character.consent_record || {};
  const choices = CONSENT.map(([value, label, statement]) => {
    const input = h('input', { type: 'radio', name: 'consent', value, checked: character.consent === value });
    return h('label', { class: 'isg-choice' }, input, h('span', {}, h('strong', {}, label), h('small', {}, `“${statement}”`)));
  });
  const by = h('input', { type: 'text', id: 'consent-by', maxlength: 120, autocomplete: 'name', value: record.by || '' });
  const note = h('input', { type: 'text', id: 'consent-note', maxlength: 500, value: record.note || '' });
  const group = h('fieldset', { class: 'isg-choices' }, h('legend', {}, 'What is true?'), choices);
  const work = async () => {
    const kind = group.querySelector('input:checked')?.value;
    if (!kind) throw new Refused({ detail: 'Nothing is chosen yet.', hint: 'Choose the statement that is true.' });
    await done(await put(`api/characters/${character.id}/consent`, { kind, by: by.value, note: note.value }));
  };
  formDialog(
    `Whose face does ${character.name} have?`,
    [group, field('Your name', by, 'Who states this. It is kept with the time and the words above.'), field('Note', note, 'Who gave permission, when and how.')],
    'State it',
    work,
    { id: 'consent-form', intro: 'A LoRA can make pictures of a person that never happened. It is asked once for each character.' },
  );
};

// Goes on at once where it was stated before, else asks first.
const withConsent = (character, goOn) => (character.consent ? goOn(character) : consentDialog(character, goOn));
