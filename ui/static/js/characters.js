// Characters: the list, one character with its pictures, and the dialogs that make, change and delete one.

const LONG = 26; // characters; a longer fact gets a line of its own

const characterForm = (character, saved) => {
  const name = h('input', { type: 'text', id: 'character-name', maxlength: 80, value: character?.name || '', required: true });
  const trigger = h('input', { type: 'text', id: 'character-trigger', maxlength: 60, value: character?.trigger_word || '' });
  const text = h('textarea', { id: 'character-description', rows: 3, maxlength: 2000, value: character?.description || '' });
  const consent = h(
    'select',
    { id: 'character-consent' },
    [['', 'Not stated yet'], ...CONSENT].map(([value, label]) => h('option', { value }, label)),
  );
  trigger.placeholder = 'ohwx person';
  const fields = [
    field('Name', name, 'How lists show this character.'),
    field(
      'Trigger word',
      trigger,
      'The word in a prompt that brings this character back. Make it rare, such as “ohwx person”: ' +
        'an ordinary word already means something to the base model.',
    ),
    field('Description', text, 'Optional notes for yourself.'),
    !character && field('Whose face is it?', consent, 'Train on a real person only with their permission. It is asked once.'),
  ];
  const work = async () => {
    const json = { name: name.value, trigger_word: trigger.value, description: text.value };
    if (!character && consent.value) json.consent = consent.value;
    const done = character ? await patch(`api/characters/${character.id}`, json) : await post('api/characters', json);
    await saved(done);
    changedElsewhere();
  };
  const title = character ? `Change ${character.name}` : 'New character';
  formDialog(title, fields, character ? 'Save' : 'Create character', work, { id: 'character-form' });
};

const deleteCharacter = (character, done) =>
  confirmLoss(
    `Delete ${character.name}?`,
    `${count(character.image_count, 'picture', 'pictures')} and their captions go with it. LoRAs and generated pictures stay.`,
    'Delete character',
    async () => {
      await erase(`api/characters/${character.id}`);
      changedElsewhere();
      done();
    },
  );

const trySample = async () => {
  const character = await post('api/characters/sample');
  toast(`${character.name} is here`, `${count(character.image_count, 'picture', 'pictures')}, ready to train.`);
  changedElsewhere();
  openCharacter(character.id);
};

// Forms that Gradio draws list characters and LoRAs too: they are told that something changed.
const changedElsewhere = () => {
  ask('changed', '');
  bus.tell('library');
};

const characterCard = (character, cover, versions) =>
  h(
    'button',
    { type: 'button', class: 'isg-card', 'data-id': character.id, onclick: () => openCharacter(character.id) },
    h(
      'span',
      { class: 'isg-cover' },
      cover
        ? h('img', { src: imageUrl(character.id, cover.id, 'thumb'), alt: '', loading: 'lazy' })
        : icon('person'),
    ),
    h(
      'span',
      { class: 'isg-card-text' },
      h('strong', {}, character.name),
      h('small', {}, character.trigger_word),
      h(
        'span',
        { class: 'isg-pills' },
        pill(count(character.image_count, 'picture', 'pictures'), character.image_count ? '' : 'warn'),
        versions > 0 && pill(count(versions, 'LoRA', 'LoRAs'), 'good'),
      ),
    ),
  );

const imageUrl = (character, image, wanted) => url(`api/characters/${character}/images/${image}/file?size=${wanted}`);

const parameters = () => new URLSearchParams(window.location.search);
const remember = (changes) => {
  const next = parameters();
  for (const [key, value] of Object.entries(changes)) value ? next.set(key, value) : next.delete(key);
  window.history.replaceState(null, '', `?${next}`);
};

let openCharacter = () => {};

views.characters = (element) => {
  let turn = 0; // an answer that comes after a newer question is dropped

  const newOne = (look) =>
    button('New character', () => characterForm(null, (done) => openCharacter(done.id)), {
      look,
      iconName: 'plus',
      id: 'character-new',
    });

  const sample = (look) => button('Try it with a sample character', trySample, { look, iconName: 'spark', id: 'sample' });

  const showList = async () => {
    const mine = ++turn;
    remember({ character: '' });
    const [page, loras] = await Promise.all([get('api/characters?limit=60'), get('api/loras?limit=200')]);
    if (mine !== turn) return;
    if (page.total === 0) {
      element.replaceChildren(
        emptyState({
          id: 'characters-empty',
          iconName: 'person',
          title: 'Make your first character',
          text: 'Give it a name, add 10 to 30 photos, train, and generate pictures of it. Or start with one that is ready.',
          actions: [sample('primary'), newOne('')],
        }),
      );
      return;
    }
    const grid = h('div', { class: 'isg-cards', id: 'characters-list' });
    const add = async (items) => {
      const covers = await Promise.all(
        items.map((item) => (item.image_count ? get(`api/characters/${item.id}/images?limit=1`) : { items: [] })),
      );
      const versions = (id) => loras.items.filter((lora) => lora.character_id === id).length;
      if (mine === turn) grid.append(...items.map((item, i) => characterCard(item, covers[i].items[0], versions(item.id))));
    };
    const more = button('Show more', async () => {
      const next = await get(`api/characters?limit=60&cursor=${encodeURIComponent(page.next)}`);
      page.next = next.next;
      more.hidden = !page.next;
      await add(next.items);
    });
    more.hidden = !page.next;
    await add(page.items);
    if (mine !== turn) return;
    const known = page.items.some((item) => item.sample);
    element.replaceChildren(
      h('div', { class: 'isg-bar-row' }, h('h2', {}, 'Characters'), h('div', { class: 'isg-actions' }, !known && sample(''), newOne('primary'))),
      grid,
      more,
    );
  };

  const showOne = async (id) => {
    const mine = ++turn;
    remember({ character: id }); // first, so that news of the library do not lead back to the list meanwhile
    const character = await get(`api/characters/${id}`);
    if (mine !== turn) return;
    const again = () => showOne(id);
    const train = async () => {
      ask('train', id);
      if (!character.consent) await again();
    };
    const state = button(character.consent ? 'Change' : 'State it', () => consentDialog(character, again), { small: true, look: 'quiet', id: 'character-consent-state' });
    element.replaceChildren(
      h(
        'div',
        { class: 'isg-bar-row', id: 'character-open', 'data-id': id },
        h('div', { class: 'isg-title' }, button('', showList, { iconName: 'back', look: 'round', name: 'All characters', id: 'characters-back' }), h('h2', {}, character.name)),
        h(
          'div',
          { class: 'isg-actions' },
          button('Edit', () => characterForm(character, again), { iconName: 'pen', id: 'character-edit' }),
          button('Delete', () => deleteCharacter(character, showList), { iconName: 'trash', look: 'danger', id: 'character-delete' }),
          button('Train', () => withConsent(character, train), { iconName: 'train', look: 'primary', id: 'character-train' }),
        ),
      ),
      h(
        'dl',
        { class: 'isg-facts' },
        fact('Trigger word', h('code', {}, character.trigger_word)),
        fact('Whose face', h('span', { class: 'isg-consent' }, consentFact(character), state)),
        character.description && fact('Description', character.description),
      ),
      doctor(character),
      pictures(character),
      syntheticSection(character, again),
    );
  };

  const show = (work) => work.catch((error) => (complain(error), showList())).catch(complain);
  openCharacter = (id) => show(showOne(id));
  const current = () => parameters().get('character');
  bus.on('library', () => !current() && show(showList()));
  show(current() ? showOne(current()) : showList());
};

const fact = (name, value) =>
  h('div', { class: String(value).length > LONG ? 'wide' : undefined }, h('dt', {}, name), h('dd', {}, value));
