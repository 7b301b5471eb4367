# A site's files on a machine where wharf serves: all of them come into force together, or none.
#
# First the plan of all files together: what they would do to whom, because of which line, with the steps by their ids. In
# noop that is all that happens; a set that would be refused ends there, before anything is written.
# A change window is open while they are written, so that no file is judged before the last one is there. Whatever a
# run leaves half-written (a file was refused, the machine died) is judged when the window runs out, or by the next run.
class wharf_site (
  Hash[String, String] $files,
  String               $wharf = '/usr/bin/wharf',
  String               $id    = 'puppet',
  String               $ttl   = '10m',
) {
  wharf_plan { 'the site': wharf => $wharf, files => $files }

  # The commands run as conditions, so that a run which writes nothing reports nothing; never in noop. Without an
  # engine there is nothing to hold.
  unless $facts['clientnoop'] {
    exec { 'wharf: the window opens':
      command  => 'true',
      onlyif   => "${wharf} change begin --id ${id} --ttl ${ttl}; false",
      provider => shell,
      require  => Wharf_plan['the site'],
    }
    exec { 'wharf: the window ends':
      command  => 'true',
      onlyif   => "${wharf} change end ${id}; false",
      provider => shell,
      before   => Exec['wharf: the verdict'],
    }
  }

  # What is wrong inside a new file fails. What it says of other files only warns, because they are written next.
  $files.each |$path, $text| {
    file { $path:
      ensure       => file,
      mode         => '0644',
      content      => $text,
      validate_cmd => "${wharf} check --as ${path}=%",
      require      => Wharf_plan['the site'],
      notify       => Exec['wharf: the verdict'],
    }
    unless $facts['clientnoop'] {
      Exec['wharf: the window opens'] -> File[$path] -> Exec['wharf: the window ends']
    }
  }

  # Fails, with the lines, where the files are refused; what was in force stays. 69: no engine runs here yet.
  exec { 'wharf: the verdict':
    command     => "${wharf} reload --wait",
    refreshonly => true,
    returns     => [0, 69],
    provider    => shell,
    logoutput   => on_failure,
  }
}
