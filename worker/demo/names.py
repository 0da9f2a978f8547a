"""Made-up names of companies and people. Domains end in .example, which cannot be registered (RFC 2606)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from random import Random


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_FIRST = _words(
    "Alder Amber Arbor Aster Basalt Beacon Birch Bluepeak Bramble Brightwater Calder Canyon Cedar Chestnut "
    "Cinder Clearbrook Cobalt Copper Coral Crestline Delta Driftwood Ember Everfield Fairhaven Falcon Fernhill "
    "Fjord Foxglove Granite Greenway Harbor Hazel Heron Highmoor Hollow Indigo Ironbridge Ivory Juniper "
    "Kestrel Lakeside Lantern Larkspur Linden Longshore Magpie Maple Marigold Meadow Meridian Mistral Monarch "
    "Nettle Nimbus Northgate Oakridge Orchard Osprey Otter Pebble Pinecrest Quarry Quill Rapids Redwood "
    "Riverbend Rowan Saffron Sandstone Seabright Sequoia Silverlake Slate Solstice Sparrow Stonegate Summit "
    "Sycamore Tamarind Thistle Tidewater Timber Tundra Umber Velvet Vista Walnut Wavecrest Westfold Whitecap "
    "Wildrose Willow Windmill Yarrow Zephyr"
)
_TRADES: dict[str, tuple[str, ...]] = {
    "software": ("Labs", "Systems", "Software", "Cloud", "Analytics", "Digital"),
    "finance": ("Capital", "Credit", "Payments", "Insurance", "Advisors"),
    "logistics": ("Freight", "Logistics", "Shipping", "Couriers", "Warehousing"),
    "retail": ("Outfitters", "Grocers", "Books", "Goods", "Furniture"),
    "health": ("Health", "Dental", "Clinics", "Diagnostics", "Care"),
    "manufacturing": ("Tools", "Ceramics", "Plastics", "Motors", "Works"),
    "education": ("Academy", "Learning", "Tutors", "College"),
    "hospitality": ("Hotels", "Kitchens", "Coffee", "Travel"),
}
INDUSTRIES = tuple(_TRADES)
_GIVEN = _words(
    "Ada Aisha Alan Amara Anton Beatriz Ben Bruno Carmen Chen Clara Daniel Daria Diego Elena Elif Emil Esra "
    "Eva Femi Finn Freya Gita Hana Hugo Ines Ivan Jonas Julia Kai Karim Kofi Lara Leo Lina Luca Maja Marco Mei "
    "Mina Nadia Nina Noah Olga Omar Paula Petra Priya Rafael Rosa Sam Sara Sofia Tariq Tess Theo Uma Vera "
    "Viktor Wen Yara Yusuf Zoe"
)
_FAMILY = _words(
    "Abel Adeyemi Almeida Arslan Bauer Bianchi Brandt Castillo Chandra Costa Demir Dubois Eriksen Farouk "
    "Fischer Fontaine Garcia Haddad Hansen Horvat Ito Jansen Kaya Keller Khan Kovacs Larsen Lopez Marino "
    "Mensah Moreau Nagy Nakamura Novak Okafor Olsen Patel Pereira Petrov Ricci Romero Rossi Sato Schmidt Silva "
    "Singh Svensson Tanaka Torres Vogel Weber Wu"
)


def companies(chance: Random) -> Iterator[tuple[str, str, str]]:
    """Endless (name, domain, industry), each name once."""
    taken: set[str] = set()
    for attempt in count():
        industry = chance.choice(INDUSTRIES)
        name = f"{chance.choice(_FIRST)} {chance.choice(_TRADES[industry])}"
        if attempt > 20 * len(taken) + 200:
            name = f"{name} {attempt}"
        if name not in taken:
            taken.add(name)
            yield name, name.lower().replace(" ", "") + ".example", industry


def person(chance: Random) -> tuple[str, str]:
    """A given and a family name."""
    return chance.choice(_GIVEN), chance.choice(_FAMILY)
