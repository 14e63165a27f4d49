#!/usr/bin/env bash
# Plants faults into a copy of the sources, one at a time, and checks that the tests notice each. README.md has the usage.
set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1

die() { echo "faults: $*" >&2; exit 2; }

# ---- the table: one array a column, edits as lines of key and text ----

names=() whys=() files=() callers=() tests=() edits=()

read_table() {
    local key text n=-1
    while read -r key text || [[ -n $key ]]; do
        case $key in
            '' | '#'*) ;;
            fault) n=$((n + 1)); names[n]=$text whys[n]='' files[n]='' callers[n]='' tests[n]='' edits[n]='' ;;
            why) whys[n]=$text ;;
            file) files[n]=$text ;;
            callers) callers[n]=$text ;;
            tests) tests[n]=$text ;;
            below | - | +) edits[n]+="$key $text"$'\n' ;;
            *) die "faults.txt: \"$key\" is no key" ;;
        esac
    done < "$here/faults.txt"
}

# ---- planting ----

# finds the line with $1 at or after line $at of lines[]; with $2 = once no other may follow
find_line() {
    local i found=-1
    for ((i = at; i < ${#lines[@]}; i++)); do
        [[ ${lines[i]} == *"$1"* ]] || continue
        ((found < 0)) || die "$where: \"$1\" stands in lines $((found + 1)) and $((i + 1)); say which with below"
        found=$i
        [[ $2 == once ]] || break
    done
    ((found >= 0)) || die "$where: \"$1\" is not there; the code has changed, and the fault must follow"
    at=$found
}

plant() {
    local where=${names[$1]} path=$copy/${files[$1]} at=0 count=once key text old='' lines
    mapfile lines < "$path"
    while read -r key text; do
        case $key in
            below) at=0; find_line "$text" first; at=$((at + 1)); count=first ;;
            -) [[ $count == first ]] || at=0; find_line "$text" "$count"; old=$text ;;
            +) lines[at]=${lines[at]%%"$old"*}$text${lines[at]#*"$old"} ;;
        esac
    done <<< "${edits[$1]%$'\n'}"
    printf '%s' "${lines[@]}" > "$path"
}

# ---- building and testing the copy ----

# builds a project of the copy; a fault may leave a warning behind
build() { dotnet build "$copy/$1" -c Release "${@:2}" -p:RunAnalyzers=false -p:GenerateDocumentationFile=false -p:TreatWarningsAsErrors=false -v quiet > "$copy.log" 2>&1; }

# builds a project by itself and puts it beside the tests
rebuild() {
    build "$1" --no-restore --no-dependencies && { [[ $copy/$1/bin/Release/net10.0 -ef $out ]] || cp "$copy/$1/bin/Release/net10.0/${1##*/}.dll" "$out"; }
}

# runs the named classes, or everything; sets verdict to the first test that failed, or to nothing
run_tests() {
    local class status line arguments=(--progress off --stop-on-fail on)
    for class in "$@"; do arguments+=(--filter-class "*.$class"); done
    timeout 900 dotnet "$out/Flambeau.Tests.dll" "${arguments[@]}" > "$copy.log" 2>&1
    status=$?
    verdict=
    case $status in
        0) return ;;
        8) die "no test matches $*" ;;
        124) verdict='(no end)'; return ;;
    esac
    while read -r line; do
        [[ $line == failed\ * ]] || continue
        line=${line#failed }
        line=${line#Flambeau.Tests.}
        verdict=${line% (*}
        return
    done < "$copy.log"
    verdict="(the process ended with $status)"
}

copy_sources() {
    copy=$(mktemp -d) out=$copy/tests/Flambeau.Tests/bin/Release/net10.0
    trap 'rm -rf "$copy" "$copy".*' EXIT
    # the working tree as it is, without what git ignores
    cd "$root" || exit 2
    GIT_INDEX_FILE=$copy.index git read-tree HEAD && GIT_INDEX_FILE=$copy.index git add --all && GIT_INDEX_FILE=$copy.index git checkout-index --all --prefix="$copy/" || die 'the sources could not be copied'
}

# ---- one fault ----

# false if the fault went unnoticed; verdict says by what it was noticed
try() {
    local path=$copy/${files[$1]} source=${files[$1]#src/} project projects classes=()
    projects=("src/${source%%/*}" ${callers[$1]})
    cp "$path" "$copy.source" || die "${names[$1]}: ${files[$1]} is not there"
    for project in "${projects[@]}"; do cp "$out/${project##*/}.dll" "$copy.${project##*/}" || die "${names[$1]}: $project is no project that the tests use"; done
    plant "$1"
    $everything || read -ra classes <<< "${tests[$1]}"
    verdict=
    for project in "${projects[@]}"; do rebuild "$project" || { cat "$copy.log"; verdict='DOES NOT COMPILE'; break; }; done
    if [[ -z $verdict ]]; then
        run_tests "${classes[@]}"
        [[ -n $verdict ]] || verdict="SURVIVED ${classes[*]:-all tests}: ${whys[$1]}"
    fi
    cp "$copy.source" "$path"
    # also where it was built: the next build of the tests takes it from there
    for project in "${projects[@]}"; do
        cp "$copy.${project##*/}" "$out/${project##*/}.dll"
        cp "$copy.${project##*/}" "$copy/$project/bin/Release/net10.0/${project##*/}.dll"
    done
    [[ $verdict != SURVIVED* && $verdict != DOES* ]]
}

# ---- the whole ----

everything=false chosen=()
read_table
for argument in "$@"; do
    case $argument in
        --all) everything=true ;;
        --list) for i in "${!names[@]}"; do printf '%2d  %-22s %s\n' $((i + 1)) "${names[i]}" "${whys[i]}"; done; exit ;;
        [0-9]*) ((argument >= 1 && argument <= ${#names[@]})) || die "there are faults 1 to ${#names[@]}"; chosen+=($((argument - 1))) ;;
        *) found=false
           for i in "${!names[@]}"; do [[ ${names[i]} == "$argument" ]] && chosen+=("$i") && found=true; done
           $found || die "\"$argument\" is neither an option (--all, --list) nor a fault" ;;
    esac
done
((${#chosen[@]})) || chosen=("${!names[@]}")

copy_sources
echo 'building'
build tests/Flambeau.Tests || { cat "$copy.log"; die 'the sources do not build'; }
classes=()
$everything || mapfile -t classes < <(for i in "${chosen[@]}"; do printf '%s\n' ${tests[i]}; done | sort -u)
echo "without a fault: ${classes[*]:-all tests}"
run_tests "${classes[@]}"
[[ -z $verdict ]] || { cat "$copy.log"; die "$verdict fails without a fault"; }

survived=0
printf '\n%2s  %-22s %-46s %s\n' '#' fault file 'caught by'
for i in "${chosen[@]}"; do
    try "$i" || survived=$((survived + 1))
    printf '%2d  %-22s %-46s %s\n' $((i + 1)) "${names[i]}" "${files[i]#src/}" "${verdict:0:140}"
done
printf '\n%d faults, %d survived\n' ${#chosen[@]} "$survived"
((survived == 0))
