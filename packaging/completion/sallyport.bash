# SPDX-License-Identifier: Apache-2.0
# Completion for bash. What there is to complete is asked of the program itself, with --help.

# The options in a --help on standard input, one a line with its value, if it takes one: "--ca FILE"
_sallyport_options()
{
    sed -nE \
        -e 's/^usage: .*\[(-[^] ]+) ([^]]+)\].*/\1 \2/p' \
        -e 's/^  (-.), (--[a-z0-9-]+)( [^ ]+)? .*/\1\3\n\2\3/p' \
        -e 's/^  (--[a-z0-9-]+)( [^ ]+)? .*/\1\2/p'
}

# COMPREPLY: what can stand where the usage says KIND, and begins with WORD
_sallyport_value() # KIND WORD
{
    case $1 in
        *'|'*) mapfile -t COMPREPLY < <(compgen -W "${1//|/ }" -- "$2") ;;
        DIR) mapfile -t COMPREPLY < <(compgen -d -- "$2") ;;
        FILE | FILE… | CERT) mapfile -t COMPREPLY < <(compgen -f -- "$2") ;;
        *) return ;;
    esac
    [[ $1 == *'|'* ]] || compopt -o filenames 2>/dev/null # outside of a completion there is none
}

_sallyport()
{
    local program=${1/#\~/$HOME} word=$2 before=$3 i=1 command=() help usage options name kind value=
    COMPREPLY=()
    help=$("$program" --help 2>/dev/null) || return
    while usage=${help%%$'\n'*} && [[ $usage == *' COMMAND '* ]] && ((i < COMP_CWORD)); do
        command+=("${COMP_WORDS[i++]}")
        help=$("$program" "${command[@]}" --help 2>/dev/null) || return
    done
    if [[ $usage == *' COMMAND '* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "--help $(sed -nE 's/^  ([a-z-]+)  .*/\1/p' <<<"$help")" -- "$word")
        return
    fi
    # "--ca=FILE" arrives as three words
    [[ $word == '=' ]] && word=
    [[ $before == '=' ]] && before=${COMP_WORDS[COMP_CWORD - 2]}
    options=$(_sallyport_options <<<"$help")
    while read -r name kind; do
        [[ $name == "$before" ]] && value=$kind
    done <<<"$options"
    if [[ $value ]]; then
        _sallyport_value "$value" "$word"
    elif [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "--help $(sed 's/ .*//' <<<"$options")" -- "$word")
    else
        _sallyport_value "${usage##* }" "$word"
    fi
}

complete -F _sallyport sallyport
