# Writes a Workbench configuration with `wharf check` in front of every file: a file that is wrong is not written,
# and the one on disk stays as it is. Puppet puts the path of the new text in the place of `%`.
#
#   puppet apply workbench.pp                              with the values below
#   puppet apply --hiera_config hiera.yaml workbench.pp    with values of Hiera: workbench_files::www_port ...
class workbench_files (
  String               $config_dir          = '/etc/rstudio',
  String               $wharf               = '/usr/bin/wharf',
  Variant[Integer, String] $www_port        = 8787,
  String               $default_cluster     = 'Local',
  Hash[String, String] $clusters            = { 'Local' => 'Local' },
  Hash[String, String] $session_environment = { 'LC_ALL' => 'C.UTF-8' },
) {
  $sections = $clusters.map |$name, $type| { "\n[cluster]\nname=${name}\ntype=${type}\n" }
  $pairs    = $session_environment.map |$name, $value| { "${name}=${value}" }

  # What is wrong inside a new file fails. What it says of other files only warns, because they are written next.
  $texts = {
    'rserver.conf'  => "www-port=${www_port}\nlauncher-address=localhost\nlauncher-default-cluster=${default_cluster}\n",
    'launcher.conf' => "[server]\naddress=localhost\n${join($sections)}",
    'launcher-env'  => "JobType: session\nEnvironment: ${join($pairs, "\n             ")}\n",
  }
  $texts.each |$name, $text| {
    file { "${config_dir}/${name}":
      ensure       => file,
      mode         => '0644',
      content      => $text,
      validate_cmd => "${wharf} check --as ${config_dir}/${name}=%",
    }
  }
}

include workbench_files
