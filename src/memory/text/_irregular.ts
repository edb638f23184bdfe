// Irregular English forms and the word they belong to: past tenses, plurals, comparatives. Data, no code.
const FORMS =
  'be:am,is,are,was,were,been,being have:has,had do:does,did,done go:goes,went,gone get:got,gotten make:made take:took,taken ' +
  'see:saw,seen come:came give:gave,given find:found think:thought tell:told become:became leave:left feel:felt put:put ' +
  'bring:brought begin:began,begun keep:kept hold:held write:wrote,written stand:stood hear:heard mean:meant meet:met ' +
  'run:ran pay:paid sit:sat speak:spoke,spoken lead:led read:read grow:grew,grown lose:lost fall:fell,fallen send:sent ' +
  'build:built understand:understood draw:drew,drawn break:broke,broken spend:spent cut:cut rise:rose,risen drive:drove,driven ' +
  'buy:bought wear:wore,worn choose:chose,chosen eat:ate,eaten sleep:slept fly:flew,flown forget:forgot,forgotten win:won ' +
  'swim:swam,swum sing:sang,sung teach:taught catch:caught fight:fought throw:threw,thrown sell:sold lend:lent bend:bent ' +
  'know:knew,known show:shown say:said hide:hid,hidden ride:rode,ridden bite:bit,bitten drink:drank,drunk ring:rang,rung ' +
  'shake:shook,shaken steal:stole,stolen freeze:froze,frozen wake:woke,woken tear:tore,torn swear:swore,sworn feed:fed ' +
  'lay:laid lie:lain light:lit shoot:shot shut:shut stick:stuck strike:struck sweep:swept dig:dug hang:hung spin:spun ' +
  'seek:sought bind:bound blow:blew,blown deal:dealt dream:dreamt forgive:forgave,forgiven hurt:hurt kneel:knelt learn:learnt ' +
  'slide:slid spread:spread sting:stung weave:wove,woven weep:wept withdraw:withdrew,withdrawn overcome:overcame ' +
  'child:children person:people,persons man:men woman:women foot:feet tooth:teeth mouse:mice goose:geese wife:wives life:lives ' +
  'knife:knives leaf:leaves shelf:shelves half:halves self:selves wolf:wolves loaf:loaves thief:thieves scarf:scarves ' +
  'good:better,best bad:worse,worst far:further,furthest criterion:criteria phenomenon:phenomena datum:data';

/** Form → word. */
export const IRREGULAR: ReadonlyMap<string, string> = new Map(
  FORMS.split(' ').flatMap((entry) => {
    const [word, forms] = entry.split(':') as [string, string];
    return forms.split(',').map((form) => [form, word] as const);
  }),
);
