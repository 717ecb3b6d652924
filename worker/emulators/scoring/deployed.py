"""Which wikis the originals score, with which models, and the languages of Lift Wing's other servers. Data only.

Sources: operations/deployment-charts helmfile.d/ml-services/revscoring-*/values.yaml @ 66ce6e0, and
machinelearning/liftwing inference-services src/models/revert_risk_model/data/wikis.tsv @ bce944c (open, public
Wikipedias). At ORES `wp10` is an old name of articlequality.
"""

_EDIT_QUALITY = """
    arwiki bswiki cawiki cswiki dewiki enwiki eswiki eswikibooks eswikiquote etwiki fawiki fiwiki frwiki hewiki hiwiki
    huwiki itwiki jawiki kowiki lvwiki nlwiki nowiki plwiki ptwiki rowiki ruwiki simplewiki sqwiki srwiki svwiki
    testwiki trwiki ukwiki wikidatawiki zhwiki
"""
_ARTICLE_QUALITY = """
    enwiki euwiki fawiki frwiki glwiki nlwiki ptwiki ruwiki simplewiki svwiki testwiki trwiki ukwiki
"""

#: Model to the wikis that have a server of it.
WIKIS = {
    model: frozenset(wikis.split())
    for model, wikis in {
        "damaging": _EDIT_QUALITY,
        "goodfaith": _EDIT_QUALITY,
        "reverted": "bnwiki elwiki enwiktionary glwiki hrwiki idwiki iswiki tawiki viwiki",
        "articlequality": _ARTICLE_QUALITY,
        "wp10": _ARTICLE_QUALITY,
        "itemquality": "wikidatawiki",
        "draftquality": "enwiki ptwiki simplewiki testwiki",
        "articletopic": "arwiki cswiki enwiki euwiki huwiki hywiki kowiki srwiki ukwiki viwiki",
        "drafttopic": "enwiki",
        "itemtopic": "wikidatawiki",
    }.items()
}

#: Languages of Wikipedias, as the revert-risk servers spell them; they treat `test` as `en`.
_LANGUAGES = """
ab ace ady af alt am ami an ang ann anp ar arc ary arz as ast atj av avk awa ay az azb ba ban bar bbc bcl bdr be
be-tarask bew bg bh bi bjn blk bm bn bo bpy br bs btm bug bxr ca cbk-zam cdo ce ceb ch chr chy ckb co cr crh cs csb
cu cv cy da dag de dga din diq dsb dtp dty dv dz ee el eml en eo es et eu ext fa fat ff fi fj fo fon fr frp frr fur
fy ga gag gan gcr gd gl glk gn gom gor got gpe gsw gu guc gur guw gv ha hak haw he hi hif hr hsb ht hu hy hyw ia iba
id ie ig igl ik ilo inh io is it iu ja jam jbo jv ka kaa kab kbd kbp kcg kg kge ki kk kl km kn knc ko koi krc ks ksh
ku kus kv kw ky la lad lb lbe lez lfn lg li lij lld lmo ln lo lt ltg lv lzh mad mai map-bms mdf mg mhr mi min mk ml
mn mni mnw mos mr mrj ms mt mwl my myv mzn nah nan nap nds nds-nl ne new nia nl nn no nov nqo nr nrm nso nv ny oc
olo om or os pa pag pam pap pcd pcm pdc pfl pi pih pl pms pnb pnt ps pt pwn qu rm rmy rn ro roa-tara rsk ru rue rup
rw sa sah sat sc scn sco sd se sg sgs sh shi shn si simple sk skr sl sm smn sn so sq sr srn ss st stq su sv sw syl
szl szy ta tay tcy tdd te tet tg th ti tig tk tl tly tn to tpi tr trv ts tt tum tw ty tyv udm ug uk ur uz ve vec vep
vi vls vo vro wa war wo wuu xal xh xmf yi yo yue za zea zgh zh zu test
"""
LANGUAGES = frozenset(_LANGUAGES.split())
