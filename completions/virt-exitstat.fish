# fish completion for virt-exitstat(8)
#
# Names come from libvirt and may hold anything: fish quotes what a command prints, and nothing here evaluates it.

# Short form (or -), long form, what it takes (- is nothing; + says that it may be repeated), description.
# options: made by 'make docs'
set -g __virt_exitstat_options \
    'd domain domains+ a domain, also one whose name is a number; may be repeated' \
    '- vcpu vcpus only these vCPUs, as in 0 or 0,2-5' \
    'p pid pids+ a KVM process instead of a domain; \'all\': every one; may be repeated' \
    't tid number+ single vCPU threads instead of a domain' \
    'c connect uris libvirt connection (default: $LIBVIRT_DEFAULT_URI, else qemu:///system)' \
    '- max-vcpus number how many vCPU threads to make room for (default: 4096, 8 MB of kernel memory; 1024 with times or details, up to 12 MB, or twice as many as there are)' \
    '- attach auto|raw|tracepoint auto (default): the cheapest that works; raw or tracepoint: the raw tracepoint, the regular one' \
    'T time - also time the exits: what they cost, in KVM and in QEMU, and where the vCPUs\' time went' \
    'D detail - also tell what exactly caused the exits: which MSR, port, address or CPUID leaf, and what QEMU handled' \
    '- list - show what the names resolve to, count nothing' \
    '- explain - count, then say which exits are worth a change, why, what to change and the price' \
    '- about words what is known of a reason, a rule, an MSR, a port, a \'leaf 0xd\'; without WORD: what there is' \
    '- replay file show the reports of FILE, which \'-o json\' has written (\'-\': standard input), in any format, or what is worth a change in them' \
    '- compare file compare the intervals of two such files, or of several, alternately: rates, times and what is no accident; with \'-d NAME:NAME\' two domains, also of one file' \
    'i interval number report what was counted every SEC seconds, until DURATION or Ctrl-C' \
    '- count number end after N intervals' \
    'L live - a screen like top\'s, every second or SEC; needs python3-rich' \
    'a per-vcpu - a table for each vCPU, the busiest first' \
    '- total - a last table of all domains' \
    'o output table|wide|json|csv|prometheus table (default): a table for each domain; wide: a line for each vCPU and reason; json: a document for programs; csv: the lines of wide for programs; prometheus: metrics for Prometheus, cumulative' \
    'r reason reasons+ only these reasons, by name or raw code; \'!NAME\': all but these; may be repeated' \
    'n top number only the N first reasons of each table' \
    '- min-count number only reasons with at least N exits' \
    's sort count|rate|time|name sort reasons by count (default), rate, name or, with --time, time' \
    '- no-header - leave out headings and column names' \
    '- log file append reports to FILE, which SIGHUP opens anew, not to stdout; with -o prometheus FILE is replaced' \
    '- listen number serve metrics over HTTP, of all that was counted when it is asked for them' \
    '- histogram - with --time, also a histogram of each domain\'s exits by reason' \
    '- domain-info - also a metric of each domain\'s pid and OpenStack\'s names for it' \
    '- debug - show tracebacks and what the compiler says' \
    'h help - show this help message and exit' \
    '- version - show program\'s version number and exit'
# options: end

# Whether an option may be given (again). One whose value is being typed has an empty value here.
function __virt_exitstat_free --argument-names long
    set -l words (commandline -opc)
    argparse --ignore-unknown $__virt_exitstat_spec -- $words[2..-1] '' 2>/dev/null
    or return 0
    set -l flag _flag_(string replace -a - _ $long)
    not set -q $flag; or test -z "$$flag"
end

# Whether domains may be named: --pid and --tid exclude them, and behind a recording stand others, or a format.
function __virt_exitstat_by_name
    __virt_exitstat_free pid; and __virt_exitstat_free tid
    and __virt_exitstat_free replay; and __virt_exitstat_free compare
end

# The formats of reports, a line each.
function __virt_exitstat_formats
    string replace -rf -- '^o output (\S+) .*' '$1' $__virt_exitstat_options | string split '|' | string match -v prometheus
end

# The words that fit where a kind is to be typed, a line each.
function __virt_exitstat_offer --argument-names kind
    # No name that begins like an option is offered as a plain word: it is an option that is being typed.
    test $kind = plain-domains; and string match -q -- '-*' (commandline -ct); and return
    set -l words (commandline -opc)
    set -l tool $words[1]
    # The empty word is the value of a last option that has none yet.
    argparse --ignore-unknown $__virt_exitstat_spec -- $words[2..-1] '' 2>/dev/null
    set -l given (string match -v -- '' $_flag_domain $argv)
    set -l context
    test -n "$_flag_connect[-1]"; and set -a context --connect=$_flag_connect[-1]
    if test $kind = vcpus
        # The duration may be among the words. A name that begins like an option follows `--`.
        set -a context (string replace -r -- '^-' '--domain=-' (string match -v -- '' $argv))
        set -a context --domain=(string match -v -- '' $_flag_domain)
        set -a context --pid=(string match -rv -- '^(all|)$' $_flag_pid)
    end

    # Of a list, what stands behind the last comma is completed; of vCPUs, a range has two ends.
    set -l typed (commandline -ct | string replace -r -- '^(--[a-z-]+=|-[a-z])' '')
    set typed (string unescape -- $typed; or string replace -r -- '^["\']' '' $typed)
    set -l list (string match -r -- '^.*,' $typed)
    set -l asked $kind
    switch $kind
        case plain-domains
            set asked domains
        case vcpus
            set list (string match -r -- '^.*[,-]' $typed)
        case pids
            echo -s $list all
        case reasons
            # Behind an exclamation mark stands one to leave out.
            set list (string match -r -- '^(?:.*,)?!' $typed; or string match -r -- '^.*,' $typed)
    end
    # In the foreground, so that Ctrl-C reaches it while libvirt does not answer.
    for word in (timeout --foreground 3 $tool $context --complete $asked </dev/null 2>/dev/null)
        switch $kind
            case domains plain-domains
                # fish would take what follows a tab for a description.
                contains -- $word $given; or string match -q -- \*\t\* $word; and continue
                # These would be taken for an option and for the duration; --domain=NAME takes them.
                string match -q -- '-*' $word; and not string match -q -- '--domain=*' (commandline -ct); and continue
                test $kind = plain-domains; and string match -qr -- '^[-+]?[0-9]*[.]?[0-9]*$' $word; and continue
                echo -- $word
            case '*'
                contains -- $word (string split , -- $list); or echo -s $list $word
        end
    end
end

# The URIs of this host's libvirt, with the aliases that libvirt.conf has for them.
function __virt_exitstat_uris
    printf '%s\n' qemu:///system qemu:///session $LIBVIRT_DEFAULT_URI
    set -l home $XDG_CONFIG_HOME
    test -n "$home"; or set home ~/.config
    for file in $home/libvirt/libvirt.conf /etc/libvirt/libvirt.conf
        # uri_aliases = ["name=URI", ..], often on several lines; one of another host would be refused.
        test -r $file; and string replace -rf -- '^[^#]*"([A-Za-z0-9_-]+)=qemu:///.*' '$1' <$file
    end
end

set -g __virt_exitstat_spec
complete -c virt-exitstat -f
complete -c virt-exitstat -n __virt_exitstat_by_name -a '(__virt_exitstat_offer plain-domains)'
complete -c virt-exitstat -n 'not __virt_exitstat_free replay' -a '(__virt_exitstat_formats)'
complete -c virt-exitstat -n 'not __virt_exitstat_free compare' -F
for row in $__virt_exitstat_options
    string replace -ra -- ' +' ' ' $row | read -l short long kind about
    set -l names -l $long
    set -l spec $long
    if test $short != -
        set names -s $short $names
        set spec $short/$long
    end
    set -l free
    string match -q -- '*+' $kind; or set free -n "__virt_exitstat_free $long"
    switch $kind
        case -
            set -a __virt_exitstat_spec $spec
            complete -c virt-exitstat $names $free -d $about
            continue
        case domains+ vcpus pids+ reasons+ words
            complete -c virt-exitstat $names $free -d $about -x -a "(__virt_exitstat_offer "(string trim -rc + $kind)")"
        case uris
            complete -c virt-exitstat $names $free -d $about -x -a '(__virt_exitstat_uris)'
        case file
            complete -c virt-exitstat $names $free -d $about -r -F
        case number number+
            complete -c virt-exitstat $names $free -d $about -x
        case '*|*'
            complete -c virt-exitstat $names $free -d $about -x -a (string replace -a '|' ' ' $kind)
    end
    set -a __virt_exitstat_spec $spec=+
end
