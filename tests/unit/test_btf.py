"""btf: types are found where they are, damage is always a BtfError. Witnesses: our own writer, the kernel, bpftool."""

import json
import random
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from watchdog import ends

from btf_writer import KINDS, OTHER_ORDER, BtfWriter
from kvm_types import before_5_16, since_5_16
from virt_exitstat.kernel.btf import FUNC_PROTO, PTR, STRUCT, TYPEDEF, UNION, Btf, BtfError

VMLINUX = Path("/sys/kernel/btf/vmlinux")
MODIFIERS = ("TYPEDEF", "VOLATILE", "CONST", "RESTRICT", "TYPE_TAG")


def read(writer, base=None):
    return Btf(writer.data(), Btf(base.data()) if base else None)


@pytest.fixture()
def types():
    """A writer with an `int` of id 1."""
    writer = BtfWriter()
    assert writer.integer("int", 4) == 1
    return writer


# -- find --


def test_a_type_is_found_by_name_and_kind(types):
    wanted = {
        kind: add("both", 1, ())
        for kind, add in [
            (STRUCT, types.structure),
            (UNION, types.union),
            (TYPEDEF, lambda name, of, _: types.typedef(name, of)),
        ]
    }
    assert wanted == {STRUCT: 2, UNION: 3, TYPEDEF: 4}
    assert {kind: read(types).find("both", kind) for kind in wanted} == wanted


@pytest.mark.parametrize("name", ["kvm", "vcpu", "kvm_vcpu_arc", "vm_vcpu_arch", "run", "KVM_VCPU_ARCH", ""])
def test_a_part_of_a_name_and_a_members_name_are_no_types(types, name):
    types.structure("kvm_vcpu_arch", 4, [("run", 1, 0)])
    with pytest.raises(BtfError, match=f"no type '{name}'"):
        read(types).find(name, STRUCT)


def test_a_name_of_another_kind_is_no_match(types):
    types.union("kvm_run", 4, [])
    with pytest.raises(BtfError, match="no type 'kvm_run'"):
        read(types).find("kvm_run", STRUCT)


def test_a_modules_ids_go_on_where_its_bases_end(types):
    module = BtfWriter(types)
    module.type("FWD", "some_other")
    wanted = module.structure("vcpu_svm", 8, [])
    assert wanted == 3
    assert read(module, types).find("vcpu_svm", STRUCT) == wanted


def test_a_modules_type_may_have_a_name_of_its_bases(types):
    types.structure("kvm_vcpu", 8, [("vcpu_id", 1, 0)])
    module = BtfWriter(types)
    wanted = module.structure("kvm_vcpu", 16, [("mode", 1, 0), ("vcpu_id", 1, 12)])
    assert len(module.strings) == len("mode\0")
    found = read(module, types)
    assert found.find("kvm_vcpu", STRUCT) == wanted
    assert found.member(wanted, "vcpu_id") == (12, 1)


def test_the_bases_types_are_not_the_modules(types):
    types.structure("kvm_vcpu", 8, [])
    with pytest.raises(BtfError, match="no type 'kvm_vcpu'"):
        read(BtfWriter(types), types).find("kvm_vcpu", STRUCT)


def test_the_first_string_of_a_module_is_a_name_too(types):
    # Only a base's strings begin with an empty one: the kernel's btf_parse_str_sec, libbpf's btf_new_empty.
    module = BtfWriter(types)
    wanted = module.structure("vcpu_svm", 8, [])
    assert module.strings == b"vcpu_svm\0"
    assert read(module, types).find("vcpu_svm", STRUCT) == wanted


# -- member --


def test_each_member_has_its_offset_and_type(types):
    pointer = types.pointer(1)
    outer = types.structure("outer", 24, [("first", 1, 0), ("second", pointer, 8), ("last", 1, 20)])
    found = read(types)
    assert [found.member(outer, name) for name in ("first", "second", "last")] == [(0, 1), (8, pointer), (20, 1)]


def test_members_of_a_union_lie_upon_each_other(types):
    pointer = types.pointer(1)
    union = types.union("either", 8, [("number", 1), ("pointer", pointer)])
    assert [read(types).member(union, name) for name in ("number", "pointer")] == [(0, 1), (0, pointer)]


def test_offsets_of_a_path_add_up(types):
    inner = types.structure("inner", 16, [("a", 1, 4), ("b", 1, 12)])
    middle = types.structure("middle", 64, [("pad", 1, 0), ("inner", inner, 32)])
    outer = types.structure("outer", 256, [("middle", middle, 128)])
    found = read(types)
    assert found.member(outer, "middle.inner.b") == (128 + 32 + 12, 1)
    assert found.member(outer, "middle.inner") == (128 + 32, inner)


@pytest.mark.parametrize("kind", ["STRUCT", "UNION"])
def test_members_of_anonymous_parts_are_the_outer_ones_own(types, kind):
    deepest = types.structure("", 8, [("hidden", 1, 4)], kind=kind)
    # What is anonymous and holds nothing wanted does not end the search.
    barren = types.structure("", 8, [("other", 1, 0)])
    middle = types.structure("", 32, [("", barren, 0), ("", deepest, 16)])
    outer = types.structure("outer", 64, [("", barren, 0), ("", middle, 24), ("after", 1, 56)])
    found = read(types)
    assert found.member(outer, "hidden") == (24 + 16 + 4, 1)
    assert found.member(outer, "after") == (56, 1)


def test_members_of_named_parts_are_not_the_outer_ones(types):
    inner = types.structure("inner", 4, [("hidden", 1, 0)])
    outer = types.structure("outer", 8, [("inner", inner, 4)])
    with pytest.raises(BtfError, match="no member 'hidden'"):
        read(types).member(outer, "hidden")


def test_a_path_may_lead_through_anonymous_parts_and_other_clothes(types):
    inner = types.structure("", 8, [("code", 1, 4)])
    clothed = types.typedef("inner_t", types.type("CONST", "", inner))
    outer = types.structure("outer", 32, [("", types.structure("", 16, [("control", clothed, 8)]), 16)])
    assert read(types).member(outer, "control.code") == (16 + 8 + 4, 1)


def test_bit_fields_do_not_disturb_the_offsets(types):
    fields = [("low", 1, (0, 3)), ("", 1, (3, 5)), ("next", 1, (8, 8)), ("straddles", 1, (30, 4)), ("plain", 1, 8)]
    outer = types.structure("outer", 12, fields)
    found = read(types)
    names = ("low", "next", "straddles", "plain")
    assert [found.member(outer, name)[0] for name in names] == [0, 1, 3, 8]


def test_offsets_without_bit_fields_have_32_bits(types):
    # With bit fields, the upper eight are a width; 4 MB need them as offset.
    outer = types.structure("outer", 8 << 20, [("far", 1, 4 << 20), ("farthest", 1, (1 << 29) - 4)])
    assert read(types).member(outer, "far") == (4 << 20, 1)
    assert read(types).member(outer, "farthest") == ((1 << 29) - 4, 1)


@pytest.mark.parametrize("path", ["missing", "inner.missing", "missing.a", "number.a", "pointer.a", "", "inner.", ".a"])
def test_a_member_that_is_not_there_is_named(types, path):
    inner = types.structure("inner", 8, [("a", 1, 4)])
    members = [("inner", inner, 0), ("number", 1, 8), ("pointer", types.pointer(inner), 16)]
    outer = types.structure("outer", 24, members)
    with pytest.raises(BtfError, match=r"no member '.*' on the way to") as caught:
        read(types).member(outer, path)
    assert f"to '{path}'" in str(caught.value)


def test_a_module_may_go_through_its_bases_types(types):
    types.type("FWD", "names")
    inner = types.structure("inner", 16, [("in_base", 1, 12)])
    module = BtfWriter(types)
    module.type("FWD", "others")
    anonymous = module.structure("", 64, [("inner", inner, 32)])
    outer = module.structure("outer", 128, [("", anonymous, 64)])
    found = read(module, types)
    assert found.member(outer, "inner.in_base") == (64 + 32 + 12, 1)
    assert found.member(inner, "in_base") == (12, 1)


# -- what stands behind an id --


def clothe(types, type_id):
    """The type in every other clothing there is."""
    for kind in MODIFIERS:
        type_id = types.type(kind, "clothes" if kind in ("TYPEDEF", "TYPE_TAG") else "", type_id)
    return type_id


@pytest.mark.parametrize("kind", MODIFIERS)
def test_each_clothing_is_seen_through(types, kind):
    assert read(types).size(1) == 4
    clothed = types.type(kind, "clothes" if kind in ("TYPEDEF", "TYPE_TAG") else "", 1)
    assert read(types).size(clothed) == 4


def test_everything_is_seen_through_clothes(types):
    structure = types.structure("outer", 40, [("a", 1, 36)])
    pointer = types.pointer(structure)
    function = types.function_type([("a", 1), ("b", pointer)])
    clothed = [clothe(types, plain) for plain in (structure, pointer, function)]
    found = read(types)
    assert found.size(clothed[0]) == 40
    assert found.member(clothed[0], "a") == (36, 1)
    assert found.pointee(clothed[1]) == structure
    assert found.parameters(clothed[2]) == 2


def test_a_pointer_to_nothing_points_to_type_0(types):
    pointer = types.pointer(0)
    assert read(types).pointee(pointer) == 0


@pytest.mark.parametrize("count", [0, 1, 5])
def test_parameters_are_counted(types, count):
    function = types.function_type([("", 1)] * count)
    assert read(types).parameters(function) == count


def test_sizes(types):
    ids = [
        types.integer("long", 8),
        types.structure("s", 12, [("a", 1, 0)]),
        types.structure("u", 24, [("a", 1, 0)], kind="UNION"),
        types.integer("bool", 1),
    ]
    assert [read(types).size(type_id) for type_id in ids] == [8, 12, 24, 1]


def test_what_is_no_pointer_or_function_is_refused(types):
    function = types.function_type([])
    types.pointer(function)
    found = read(types)
    for type_id in (1, function):
        with pytest.raises(BtfError, match=f"type {type_id} is not a pointer"):
            found.pointee(type_id)
    for type_id in (1, function + 1):
        with pytest.raises(BtfError, match=f"type {type_id} is not a function"):
            found.parameters(type_id)


@pytest.mark.parametrize("kind", ["PTR", "ARRAY", "FUNC_PROTO", "FWD", "FUNC"])
def test_what_has_no_size_is_refused(types, kind):
    typeless = types.type(kind, "", 1, words=[1, 1, 4] if kind == "ARRAY" else [])
    with pytest.raises(BtfError):
        read(types).size(typeless)


# -- the walk --

WALKED = {
    "INT": {"size_or_type": 4, "words": [32]},
    "PTR": {"size_or_type": 1},
    "ARRAY": {"words": [1, 1, 3]},
    "STRUCT of 0": {"size_or_type": 4},
    "STRUCT of 1": {"size_or_type": 4, "parts": 1, "words": [0, 1, 0]},
    "STRUCT of 300": {"size_or_type": 1200, "parts": 300, "words": [0, 1, 0] * 300},
    "STRUCT with bit fields": {"size_or_type": 4, "parts": 1, "words": [0, 1, 0], "kind_flag": True},
    "UNION of 2": {"size_or_type": 4, "parts": 2, "words": [0, 1, 0] * 2},
    "ENUM of 0": {"size_or_type": 4},
    "ENUM of 3": {"size_or_type": 4, "parts": 3, "words": [0, 7] * 3},
    "FWD": {"kind_flag": True},
    "TYPEDEF": {"size_or_type": 1},
    "VOLATILE": {"size_or_type": 1},
    "CONST": {"size_or_type": 1},
    "RESTRICT": {"size_or_type": 1},
    # Its linkage stands where other kinds have the number of their parts.
    "FUNC": {"size_or_type": 1, "parts": 2},
    "FUNC_PROTO of 0": {},
    "FUNC_PROTO of 12": {"size_or_type": 1, "parts": 12, "words": [0, 1] * 12},
    "VAR": {"size_or_type": 1, "words": [1]},
    "DATASEC of 2": {"size_or_type": 8, "parts": 2, "words": [1, 0, 4] * 2},
    "FLOAT": {"size_or_type": 8},
    "DECL_TAG": {"size_or_type": 1, "words": [0xFFFFFFFF]},
    "TYPE_TAG": {"size_or_type": 1},
    "ENUM64 of 2": {"size_or_type": 8, "parts": 2, "words": [0, 1, 2] * 2},
}


@pytest.mark.parametrize("case", WALKED)
def test_the_walk_steps_over_each_kind(types, case):
    # Words that would be types of their own if a step were too short, and types that would be missed by a long one.
    types.type(case.split()[0], "in_the_way", **WALKED[case])
    wanted = types.structure("behind", 16, [("a", 1, 12)])
    types.structure("last", 4, [])
    found = read(types)
    assert found.find("behind", STRUCT) == wanted == 3
    assert found.member(wanted, "a") == (12, 1)
    assert found.find("last", STRUCT) == 4


def test_every_kind_is_walked_over():
    assert {case.split()[0] for case in WALKED} == set(KINDS) - {"VOID"}


def test_no_types_at_all_are_well_formed():
    with pytest.raises(BtfError, match="no type"):
        Btf(BtfWriter().data()).find("int", STRUCT)


def test_a_longer_header_of_a_later_kernel_is_skipped(types):
    wanted = types.structure("wanted", 4, [("a", 1, 0)])
    assert Btf(types.data(more_header=b"\x99" * 8)).find("wanted", STRUCT) == wanted


# -- damage --


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "damaged header"),
        (b"\x9f", "damaged header"),
        (BtfWriter().data()[:23], "damaged header"),
        (b"\x7fELF" + bytes(60), "not BTF of version 1"),
        (bytes(64), "not BTF of version 1"),
        (BtfWriter().data(magic=0xEB9E), "magic 0xeb9e"),
        (BtfWriter(order=OTHER_ORDER).data(), "magic 0x9feb"),
        (BtfWriter().data(version=2), "version 2"),
        (BtfWriter().data(version=0), "version 0"),
    ],
    ids=["empty", "a byte", "23 bytes", "ELF", "zeros", "magic", "other order", "version 2", "version 0"],
)
def test_what_is_not_btf_says_so(data, words):
    with pytest.raises(BtfError, match=words):
        Btf(data)


def whole(types):
    """A writer with something to cut off."""
    types.structure("outer", 16, [("a", 1, 0), ("b", 1, 8)])
    types.array(1, 4)
    return types


def test_every_truncation_is_noticed(types):
    data = whole(types).data()
    Btf(data)
    for length in range(len(data)):
        with pytest.raises(BtfError):
            Btf(data[:length])


def test_what_stands_behind_the_btf_does_not_matter(types):
    wanted = types.structure("wanted", 4, [("a", 1, 0)])
    assert Btf(types.data() + b"\0garbage\xff").find("wanted", STRUCT) == wanted


@pytest.mark.parametrize("parts", [3, 300, 0xFFFF])
def test_more_parts_than_there_are_words_is_damage(types, parts):
    types.type("STRUCT", "cut", 16, parts=parts, words=[0, 1, 0] * 2)
    with pytest.raises(BtfError, match="cut short in a type"):
        read(types)


@pytest.mark.parametrize("words", [1, 2])
def test_half_a_type_is_damage(types, words):
    half_a_pointer = (0, PTR << 24)
    types.type("ARRAY", words=[1, 1, 4, *half_a_pointer[:words]])
    with pytest.raises(BtfError, match="cut short in a type"):
        read(types)


@pytest.mark.parametrize("kind", [0, 20, 31])
def test_a_kind_that_nobody_knows_is_refused(types, kind):
    # Its length is unknown, so all ids behind it are: an offset read there would be another structure's.
    types.structure("outer", 16, [])
    data = bytearray(types.data())
    info_of_second_type = 24 + 16 + 7
    assert data[info_of_second_type] == STRUCT
    data[info_of_second_type] = kind
    with pytest.raises(BtfError):
        Btf(bytes(data))


@pytest.mark.parametrize("far", [3, 4, 1000, 0x7FFFFFFF, 0xFFFFFFFF])
def test_an_id_out_of_range_is_damage(types, far):
    outer = types.structure("outer", 8, [("a", far, 0), ("", far, 0), ("c", 1, 4)])
    found = read(types)
    for question in (found.pointee, found.parameters, found.size, lambda bad: found.member(bad, "a")):
        with pytest.raises(BtfError, match=f"no type with id {far}"):
            question(far)
    with pytest.raises(BtfError, match=f"no type with id {far}"):
        found.member(outer, "a.b")
    with pytest.raises(BtfError, match=f"no type with id {far}"):
        found.member(outer, "c")


@pytest.mark.parametrize("with_base", [False, True])
def test_void_has_no_size_and_no_members(types, with_base):
    found = read(BtfWriter(types), types) if with_base else read(types)
    for question in (found.pointee, found.parameters, found.size, lambda void: found.member(void, "a")):
        with pytest.raises(BtfError, match="no type with id 0"):
            question(0)
    with pytest.raises(BtfError):
        found.size(-1)


def test_a_modules_ids_do_not_end_in_its_base(types):
    module = BtfWriter(types)
    last = module.structure("last", 4, [])
    found = read(module, types)
    assert found.size(last) == 4
    with pytest.raises(BtfError, match="no type with id 3"):
        found.size(last + 1)


@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_loop_of_typedefs_ends(types, length):
    first = 2
    for index in range(length):
        types.typedef(f"t{index}", first + (index + 1) % length)
    outer = types.structure("outer", 4, [("a", first, 0), ("", first, 0)])
    found = read(types)
    with ends():
        for question in (found.pointee, found.parameters, found.size, lambda loop: found.member(loop, "a")):
            with pytest.raises(BtfError, match="typedefs without end"):
                question(first)
        with pytest.raises(BtfError, match="typedefs without end"):
            found.member(outer, "b")


@pytest.mark.parametrize("times", [1, 2])
def test_a_structure_that_holds_itself_is_damage(types, times):
    itself = 2
    types.structure("outer", 8, [("", itself, 0)] * times)
    found = read(types)
    with ends(), pytest.raises(BtfError):
        found.member(itself, "a")


# -- fuzz --


def ask(data, base=None):
    """All questions that attach_plan asks, and all that can be asked of each id; how many were answered, and not."""
    tally = {"answered": 0, "refused": 0}

    def attempt(question, *arguments):
        try:
            answer = question(*arguments)
        except BtfError as error:
            assert str(error)
            tally["refused"] += 1
            return None
        tally["answered"] += 1
        return answer

    def follow(name, kind, *paths):
        found = attempt(btf.find, name, kind)
        for path in paths if found is not None else ():
            _, member_type = attempt(btf.member, found, path) or (0, 0)
            attempt(btf.size, member_type)
            attempt(btf.pointee, member_type)
        return found

    btf = attempt(Btf, data, base)
    if btf:
        follow("vcpu_svm", STRUCT, "vcpu", "vcpu.vcpu_id", "vmcb")
        follow("vmcb", STRUCT, "control.exit_code", "save")
        follow("vcpu_vmx", STRUCT, "vcpu", "vt.exit_reason", "exit_reason", "exit_reason.full", "vt.exit_reason.basic")
        follow("btf_trace_kvm_exit", TYPEDEF)
        for type_id in range(40):
            for question in (btf.pointee, btf.parameters, btf.size):
                attempt(question, type_id)
            attempt(btf.member, type_id, "basic")
    return tally


@pytest.fixture(scope="module")
def samples():
    """BTF of a kernel and of a module on top of it."""
    kernel = since_5_16().with_vmx(top_at=700, vt_at=600, vcpu_at=8)
    return kernel.data(), before_5_16(kernel).with_svm(vcpu_at=16).with_vmx(top_at=700, vt_at=600).data()


def add_up(tallies):
    tallies = list(tallies)
    return {key: sum(tally[key] for tally in tallies) for key in ("answered", "refused")}


def test_the_fuzz_asks_what_whole_samples_answer(samples):
    kernel, module = samples
    assert ask(kernel)["answered"] > 30
    assert ask(module, Btf(kernel))["answered"] > 30


@pytest.mark.parametrize("seed", range(12))
def test_a_wrong_byte_gives_an_answer_or_a_btf_error(samples, seed):
    dice = random.Random(seed)
    kernel, module = samples
    base = Btf(kernel)

    def damage(data):
        damaged = bytearray(data)
        damaged[dice.randrange(len(data))] ^= dice.randint(1, 255)
        return bytes(damaged)

    with ends():
        tally = add_up(
            ask(damage(module), base) if dice.random() < 0.6 else ask_on_damaged_base(damage(kernel), module)
            for _ in range(250)
        )
    assert min(tally.values()) > 1000


def ask_on_damaged_base(kernel, module):
    try:
        base = Btf(kernel)
    except BtfError:
        return {"answered": 0, "refused": 1}
    return add_up([ask(kernel), ask(module, base)])


def test_any_length_gives_a_btf_error(samples):
    kernel, module = samples
    base = Btf(kernel)
    with ends():
        assert all(ask(kernel[:length])["answered"] == 0 for length in range(len(kernel)))
        assert all(ask(module[:length], base)["answered"] == 0 for length in range(len(module)))


@pytest.mark.parametrize("seed", range(3))
def test_noise_behind_a_good_header_gives_an_answer_or_a_btf_error(samples, seed):
    dice = random.Random(seed)
    kernel, _ = samples
    with ends():
        for _ in range(100):
            ask(kernel[:24] + bytes(dice.randrange(256) for _ in range(len(kernel) - 24)))


# -- second witness --


def bpftool(*arguments):
    """What bpftool reads, as text of JSON."""
    tool = shutil.which("bpftool") or shutil.which("bpftool", path="/usr/sbin:/sbin")
    if not tool:
        pytest.skip("no bpftool: install it with 'apt install bpftool'")
    done = subprocess.run([tool, "-j", *map(str, arguments)], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        pytest.skip(f"bpftool refuses: {done.stdout[:200]}")
    return done.stdout


def test_bpftool_reads_the_same_out_of_the_writers_btf(tmp_path, samples):
    # The writer's own witness: what these tests build is what the kernel's tools take for BTF.
    kernel, module = samples
    (tmp_path / "vmlinux").write_bytes(kernel)
    (tmp_path / "module").write_bytes(module)
    dumped = bpftool("-B", tmp_path / "vmlinux", "btf", "dump", "file", tmp_path / "module")
    found = Btf(module, Btf(kernel))
    by_id = {one["id"]: one for one in json.loads(dumped)["types"]}
    named = {one["name"]: one for one in by_id.values() if one["kind"] in ("STRUCT", "UNION")}
    assert named.keys() >= {"kvm_vcpu", "vcpu_svm", "vcpu_vmx", "vmcb", "vmx_exit_reason"}
    for name in named.keys() - {"(anon)"}:
        kind = STRUCT if named[name]["kind"] == "STRUCT" else UNION
        assert found.find(name, kind) == named[name]["id"]
        assert assert_same(found, named[name], by_id.__getitem__)


def members_with_names(structure, type_of):
    """(name, offset, type id) of each member of bpftool's `structure`, those of anonymous parts among them."""
    for member in structure.get("members", ()):
        if member["name"] != "(anon)":
            yield member["name"], member["bits_offset"] // 8, member["type_id"]
        else:
            for name, offset, type_id in members_with_names(type_of(member["type_id"]), type_of):
                yield name, member["bits_offset"] // 8 + offset, type_id


def assert_same(found, theirs, type_of):
    """That all members are where bpftool sees them."""
    expected = {name: (offset, type_id) for name, offset, type_id in members_with_names(theirs, type_of)}
    assert {name: found.member(theirs["id"], name) for name in expected} == expected
    assert found.size(theirs["id"]) == theirs["size"]
    return expected.keys()


class Dump:
    """bpftool's dump of the running kernel. All of it parsed would take seconds; types are cut out one by one."""

    def __init__(self):
        self._text = bpftool("btf", "dump", "file", VMLINUX)

    def named(self, kind, name):
        found = re.search(rf'{{"id":\d+,"kind":"{kind}","name":"{name}"', self._text)
        return self._parse(found.start()) if found else None

    def by_id(self, type_id):
        return self._parse(self._text.index(f'{{"id":{type_id},'))

    def _parse(self, at):
        return json.JSONDecoder().raw_decode(self._text, at)[0]


@pytest.fixture(scope="module")
def dump():
    if not VMLINUX.exists():
        pytest.skip(f"this kernel has no BTF: no {VMLINUX}")
    return Dump()


@pytest.fixture(scope="module")
def running():
    if not VMLINUX.exists():
        pytest.skip(f"this kernel has no BTF: no {VMLINUX}")
    return Btf(VMLINUX.read_bytes())


@pytest.mark.parametrize(
    ("name", "member"),
    [
        ("task_struct", "tgid"),
        ("list_head", "next"),
        ("mm_struct", "mmap_base"),
        ("file", "f_op"),
        ("sk_buff", "protocol"),
        ("kvm_vcpu", "vcpu_id"),
        ("vcpu_vmx", "vcpu"),
        ("vcpu_svm", "vmcb"),
        ("vmcb_control_area", "exit_code"),
    ],
)
def test_the_running_kernels_structures_are_as_bpftool_reads_them(dump, running, name, member):
    theirs = dump.named("STRUCT", name)
    if not theirs:
        pytest.skip(f"the running kernel's own BTF has no struct {name}")
    assert running.find(name, STRUCT) == theirs["id"]
    assert member in assert_same(running, theirs, dump.by_id)


def test_a_path_in_the_running_kernel_is_as_bpftool_reads_it(dump, running):
    offset, type_id = 0, dump.named("STRUCT", "task_struct")["id"]
    for step in ("se", "load", "weight"):
        member = next(one for one in dump.by_id(type_id)["members"] if one["name"] == step)
        offset, type_id = offset + member["bits_offset"] // 8, member["type_id"]
    assert running.member(running.find("task_struct", STRUCT), "se.load.weight") == (offset, type_id)


@pytest.mark.parametrize("event", ["sched_switch", "kvm_exit"])
def test_the_running_kernels_tracepoints_have_the_parameters_that_bpftool_counts(dump, running, event):
    theirs = dump.named("TYPEDEF", f"btf_trace_{event}")
    if not theirs:
        pytest.skip(f"the running kernel's own BTF has no tracepoint {event}")
    pointer = dump.by_id(theirs["type_id"])
    function = dump.by_id(pointer["type_id"])
    assert (pointer["kind"], function["kind"]) == ("PTR", "FUNC_PROTO")
    ours = running.pointee(running.find(f"btf_trace_{event}", TYPEDEF))
    assert (ours, running.parameters(ours)) == (function["id"], function["vlen"])


def test_kinds_are_the_formats():
    # include/uapi/linux/btf.h
    assert (PTR, STRUCT, UNION, TYPEDEF, FUNC_PROTO) == (2, 4, 5, 8, 13)
